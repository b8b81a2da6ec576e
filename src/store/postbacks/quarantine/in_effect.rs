//! The stated values that take effect when a postback is processed.

use std::collections::HashMap;
use std::sync::LazyLock;

use domain::postback::stated::{Stated, StatedBy};

use super::acts::parse_status;
use crate::Result;
use crate::db::rows::IdRow;
use crate::db::sql::{LazyStatement, Statement};
use crate::db::tx::Tx;
use crate::postbacks::inbox::WaitingPostback;

/// Acts whose values take effect. A confirmed one also has the proposer and the proposer's reason.
static IN_EFFECT: LazyStatement = LazyLock::new(|| {
    Statement::given::<IdRow>(
        "SELECT act.id, act.user_id, act.tx_id, act.status, act.reward, act.payout, act.actor, act.reason,
                proposal.actor AS proposer, proposal.reason AS proposed_because
         FROM {given} JOIN quarantine_acts AS act ON act.id = given.id
         LEFT JOIN quarantine_acts AS proposal ON proposal.id = act.proposal_id",
    )
});

#[derive(sqlx::FromRow)]
struct EffectiveRow {
    id: i64,
    user_id: Option<String>,
    tx_id: Option<String>,
    status: Option<String>,
    reward: Option<String>,
    payout: Option<String>,
    actor: String,
    reason: String,
    proposer: Option<String>,
    proposed_because: Option<String>,
}

impl EffectiveRow {
    fn stated_by(self) -> Result<StatedBy> {
        let status = parse_status(self.id, self.status.as_deref())?;
        let Self { user_id, tx_id, reward, payout, actor, reason, .. } = self;
        let names = self.proposer.map_or_else(|| actor.clone(), |proposer| format!("{proposer}, {actor}"));
        let reasons = [self.proposed_because.unwrap_or_default(), reason];
        let reasons: Vec<String> = reasons.into_iter().filter(|reason| !reason.is_empty()).collect();
        let stated = Stated { user_id, tx_id, status, reward, payout };
        Ok(StatedBy { stated, actor: names, reason: reasons.join(" / ") })
    }
}

/// Adds the values that people stated to the claimed postbacks. No query runs if there are none.
pub(crate) async fn load_stated(tx: &mut Tx, claimed: &mut [WaitingPostback]) -> Result<()> {
    let ids: Vec<IdRow> =
        claimed.iter().filter_map(|postback| postback.stated_id).map(|id| IdRow { id }).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows: Vec<EffectiveRow> = tx.fetch(&IN_EFFECT, &ids).await?;
    let mut in_effect = HashMap::new();
    for row in rows {
        in_effect.insert(row.id, row.stated_by()?);
    }
    for postback in claimed {
        postback.stated = postback.stated_id.and_then(|id| in_effect.get(&id).cloned());
    }
    Ok(())
}
