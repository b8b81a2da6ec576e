//! Who is behind a completion: the truth that an evaluation compares with.

/// Honest users in several situations, and the schemes of fraud that offerwalls know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Persona {
    /// One user at a fixed address of their own, now and then on a mobile network.
    Home,
    /// Shares the address with others of the household.
    Household,
    /// Always behind a carrier's few addresses, with hundreds of others.
    Carrier,
    /// Changes the country every few weeks; the network reports the country of the address.
    Traveller,
    /// Any honest user who finishes an offer days or weeks after the click.
    SlowFinisher,
    /// Scripts that finish in a fraction of the honest time, with jitter.
    SpeedBot,
    /// Malware that claims installs seconds after a click of its own.
    ClickInjector,
    /// Many accounts in one IPv6 /64 that do the same offers.
    FarmIpv6,
    /// Many accounts behind one IPv4 address that do the same offers.
    FarmIpv4,
    /// Accounts whose addresses are in a hosting range.
    Hosting,
    /// Many accounts with the same offer in the same seconds.
    DurationTwin,
    /// Sends the steps of a level offer in impossible gaps.
    LevelSpoofer,
    /// Does offers as others do, and the advertiser takes most of them back.
    ChargebackUser,
    /// An honest account that was sold: a day of many countries and of rewards far above its habit.
    AccountTrader,
    /// Slightly too fast early in the period, so that a baseline learns the wrong time.
    SlowPoisoner,
}

impl Persona {
    /// All, honest ones first.
    pub const ALL: [Self; 15] = [
        Self::Home,
        Self::Household,
        Self::Carrier,
        Self::Traveller,
        Self::SlowFinisher,
        Self::SpeedBot,
        Self::ClickInjector,
        Self::FarmIpv6,
        Self::FarmIpv4,
        Self::Hosting,
        Self::DurationTwin,
        Self::LevelSpoofer,
        Self::ChargebackUser,
        Self::AccountTrader,
        Self::SlowPoisoner,
    ];

    /// The name in `truth.csv`; a scheme of fraud has the same in the parameters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Household => "household",
            Self::Carrier => "carrier",
            Self::Traveller => "traveller",
            Self::SlowFinisher => "slow_finisher",
            Self::SpeedBot => "speed_bot",
            Self::ClickInjector => "click_injector",
            Self::FarmIpv6 => "farm_ipv6",
            Self::FarmIpv4 => "farm_ipv4",
            Self::Hosting => "hosting",
            Self::DurationTwin => "duration_twin",
            Self::LevelSpoofer => "level_spoofer",
            Self::ChargebackUser => "chargeback_user",
            Self::AccountTrader => "account_trader",
            Self::SlowPoisoner => "slow_poisoner",
        }
    }

    /// True if its rewards should be held.
    pub fn is_fraud(self) -> bool {
        !matches!(self, Self::Home | Self::Household | Self::Carrier | Self::Traveller | Self::SlowFinisher)
    }
}
