//! One way in after the other: what each costs the acknowledgements of an honest caller, and how much memory.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::gateway::{Gateway, PASSWORD, PERSON};
use crate::honest::{ANEW_PER_S, Honest, KEPT_PER_S, Network, signed};
use crate::strangers::{Answers, Stranger};

/// How long acknowledgements are measured before each attack.
const BEFORE: Duration = Duration::from_secs(5);
/// The pause after one, in which what it left behind goes.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two calls of one attacker: their own load on this machine must not be what is measured.
const BETWEEN: Duration = Duration::from_millis(100);
/// How far attackers yield to the gateway, as `nice` counts.
const NICENESS: i32 = 19;
/// The longest wait for one answer.
const TOO_LONG: Duration = Duration::from_secs(15);
/// The largest form and the largest body of a call.
const FORM_LEN: usize = 60_000;
const BODY_LEN: usize = 64 * 1_024;

/// One way to attack.
#[derive(Clone, Copy)]
enum Attack {
    /// Wrong passwords, from 20 addresses, four at a time from each.
    SignIns,
    /// The same with a new name of 60 KB each time.
    LongNames,
    /// The same under a new forwarded address each time.
    ForgedAddresses,
    /// Eight addresses open as many connections as they are given and say nothing.
    IdleConnections,
    /// A person asks for long lists on 100 connections and takes none of them.
    DownloadsNotTaken,
    /// Uploads whose first part has a header without an end, by nobody and by a person.
    EndlessPartHeaders,
    /// One signed call with another body of 64 KiB each time, 256 at once.
    RepeatedBodies,
    /// Forged calls from 200 addresses.
    ForgedCalls,
}

impl Attack {
    const ALL: [Self; 8] = [
        Self::SignIns,
        Self::LongNames,
        Self::ForgedAddresses,
        Self::IdleConnections,
        Self::DownloadsNotTaken,
        Self::EndlessPartHeaders,
        Self::RepeatedBodies,
        Self::ForgedCalls,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::SignIns => "sign-ins from 20 addresses",
            Self::LongNames => "sign-ins under new names of 60 KB",
            Self::ForgedAddresses => "sign-ins under forged addresses",
            Self::IdleConnections => "4,096 idle connections",
            Self::DownloadsNotTaken => "100 lists that nobody takes",
            Self::EndlessPartHeaders => "uploads with endless part headers",
            Self::RepeatedBodies => "one signed call, 256 bodies of 64 KiB at once",
            Self::ForgedCalls => "forged calls from 200 addresses",
        }
    }

    /// Addresses that it comes from, and callers at each.
    fn callers(self) -> (u8, usize) {
        match self {
            Self::SignIns | Self::LongNames | Self::ForgedAddresses => (20, 4),
            Self::IdleConnections => (8, 512),
            Self::DownloadsNotTaken => (10, 10),
            Self::EndlessPartHeaders => (4, 2),
            Self::RepeatedBodies => (16, 16),
            Self::ForgedCalls => (200, 1),
        }
    }
}

/// A signed-in person in the browser.
#[derive(Clone)]
struct Session {
    cookies: String,
    csrf: String,
}

/// Tries each whose name holds `only`, and prints a table.
pub(crate) async fn run(lasts: Duration, only: Option<&str>) {
    let gateway = Gateway::start();
    let session = sign_in(gateway.address).await;
    let attackers = elsewhere();
    println!(
        "| attack | acks before: p50, p99 ms | meanwhile | on new connections before | meanwhile | most memory | signed \
         postbacks refused |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut answers = Vec::new();
    let mut networks =
        [Network::new(gateway.address, KEPT_PER_S, true), Network::new(gateway.address, ANEW_PER_S, false)];
    for attack in Attack::ALL.into_iter().filter(|it| only.is_none_or(|only| it.name().contains(only))) {
        let ([kept_before, anew_before], _) = acknowledged(&gateway, &mut networks, BEFORE).await;
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        let (addresses, each) = attack.callers();
        for address in 1..=addresses {
            let stranger = Stranger { from: [127, 0, 2, address].into(), to: gateway.address };
            for number in 0..each {
                let caller = Caller { stranger, number, session: session.clone(), over: over.clone() };
                callers.spawn_on(Box::pin(caller.strike(attack)), attackers.handle());
            }
        }
        let ([kept, anew], most_kib) = acknowledged(&gateway, &mut networks, lasts).await;
        over.store(true, Ordering::Relaxed);
        let mut all = Answers::new();
        while let Ok(Some(Ok(some))) = tokio::time::timeout(TOO_LONG, callers.join_next()).await {
            for (answer, count) in some {
                *all.entry(answer).or_default() += count;
            }
        }
        println!(
            "| {} | {} | {} | {} | {} | {} MiB | {} of {} |",
            attack.name(),
            shown(&kept_before),
            shown(&kept),
            shown(&anew_before),
            shown(&anew),
            most_kib / 1_024,
            kept.failed + anew.failed,
            kept.failed + anew.failed + kept.acknowledged + anew.acknowledged
        );
        answers.push((attack, all));
        tokio::time::sleep(PAUSE).await;
    }
    println!();
    for (attack, answers) in answers {
        let list: Vec<_> = answers.iter().map(|(answer, count)| format!("{answer} {count}")).collect();
        println!("{}: {}", attack.name(), list.join(", "));
    }
    attackers.shutdown_background();
    gateway.stop();
}

/// Threads for the attackers. They yield to the gateway: on the internet, attackers have machines of their own.
fn elsewhere() -> Runtime {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().on_thread_start(|| {
        let me = Some(rustix::thread::gettid());
        rustix::process::setpriority_process(me, NICENESS).expect("anybody may yield");
    });
    builder.build().expect("a runtime")
}

fn shown(honest: &Honest) -> String {
    format!("{:.1}, {:.1}", honest.ms(0.5), honest.ms(0.99))
}

/// Both networks for so long, and the most memory meanwhile, in KiB.
async fn acknowledged(gateway: &Gateway, networks: &mut [Network; 2], lasts: Duration) -> ([Honest; 2], u64) {
    let over = Arc::new(AtomicBool::new(false));
    let [kept, anew] = networks;
    let watched = async {
        let began = Instant::now();
        let mut most_kib = 0;
        while began.elapsed() < lasts {
            most_kib = gateway.resident_kib().max(most_kib);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        over.store(true, Ordering::Relaxed);
        most_kib
    };
    let (kept, anew, most_kib) = tokio::join!(kept.sends(over.clone()), anew.sends(over.clone()), watched);
    ([kept, anew], most_kib)
}

struct Caller {
    stranger: Stranger,
    number: usize,
    session: Session,
    over: Arc<AtomicBool>,
}

impl Caller {
    async fn strike(self, attack: Attack) -> Answers {
        let mut answers = Answers::new();
        let mut turn = 0_u64;
        let form = match attack {
            Attack::SignIns | Attack::LongNames | Attack::ForgedAddresses => {
                login_form(self.stranger.to).await
            }
            _ => None,
        };
        while !self.over.load(Ordering::Relaxed) {
            turn += 1;
            let answer = match attack {
                Attack::SignIns | Attack::LongNames | Attack::ForgedAddresses => {
                    self.call(&self.guess(attack, form.as_ref(), turn)).await
                }
                Attack::IdleConnections => self.say_nothing().await,
                Attack::DownloadsNotTaken => self.take_nothing().await,
                Attack::EndlessPartHeaders => self.upload_without_end().await,
                Attack::RepeatedBodies => self.call(&repeated(turn)).await,
                Attack::ForgedCalls => {
                    let hash = format!("{turn:040x}");
                    let target = format!("/pb/bench?user_id=u&tx_id=F{turn}&reward=1&status=1&hash={hash}");
                    self.call(&get(&target, "")).await
                }
            };
            *answers.entry(answer).or_default() += 1;
            tokio::time::sleep(BETWEEN).await;
        }
        answers
    }

    /// A wrong password.
    fn guess(&self, attack: Attack, form: Option<&Session>, turn: u64) -> Vec<u8> {
        let own = format!("{}-{}-{turn}", self.stranger.from, self.number);
        let name = match attack {
            Attack::LongNames => format!("{own}{}", "x".repeat(FORM_LEN - 500)),
            _ => PERSON.to_owned(),
        };
        let forwarded = match attack {
            Attack::ForgedAddresses => {
                format!("x-forwarded-for: 198.51.{}.{}\r\n", turn / 250 % 250, turn % 250)
            }
            _ => String::new(),
        };
        let (cookies, csrf) =
            form.map_or_else(|| ("", ""), |form| (form.cookies.as_str(), form.csrf.as_str()));
        let body = format!("csrf={csrf}&name={name}&password=wrong-{own}");
        post("/login", &format!("cookie: {cookies}\r\n{forwarded}"), body.as_bytes())
    }

    /// Sends a request on a connection of its own; the status of its answer.
    async fn call(&self, request: &[u8]) -> String {
        let Some(mut stream) = self.stranger.connect().await else {
            return "no connection".to_owned();
        };
        let answered = tokio::time::timeout(TOO_LONG, async {
            let _ = stream.write_all(request).await;
            status(&mut stream).await
        });
        answered.await.unwrap_or_else(|_| "nothing in 15 s".to_owned())
    }

    async fn say_nothing(&self) -> String {
        let Some(mut stream) = self.stranger.connect().await else {
            return "no connection".to_owned();
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.read(&mut [0; 16])).await;
        while !self.over.load(Ordering::Relaxed) {
            let said = tokio::time::timeout(Duration::from_millis(500), stream.read(&mut [0; 16])).await;
            if said.is_ok() {
                return "closed".to_owned();
            }
        }
        "held to the end".to_owned()
    }

    async fn take_nothing(&self) -> String {
        let Some(mut stream) = self.stranger.connect().await else { return "no connection".to_owned() };
        let cookie = format!("cookie: {}\r\n", self.session.cookies);
        let _ = stream.write_all(&get("/postbacks", &cookie)).await;
        while !self.over.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        "held to the end".to_owned()
    }

    async fn upload_without_end(&self) -> String {
        let Some(mut stream) = self.stranger.connect().await else { return "no connection".to_owned() };
        // One of two is a person's.
        let cookie = match self.number % 2 {
            0 => String::new(),
            _ => format!("cookie: {}\r\nx-csrf-token: {}\r\n", self.session.cookies, self.session.csrf),
        };
        let head = format!(
            "POST /reports/statements HTTP/1.1\r\nhost: x\r\n{cookie}content-type: multipart/form-data; \
             boundary=b\r\ncontent-length: 300000000\r\n\r\n--b\r\nx: "
        );
        if stream.write_all(head.as_bytes()).await.is_err() {
            return "closed".to_owned();
        }
        let piece = vec![b'x'; 64 * 1_024];
        while !self.over.load(Ordering::Relaxed) {
            match tokio::time::timeout(TOO_LONG, stream.write_all(&piece)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return status(&mut stream).await,
                Err(_) => return "not read for 15 s".to_owned(),
            }
        }
        "read to the end".to_owned()
    }
}

fn get(target: &str, headers: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n").into_bytes()
}

fn post(target: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}content-type: \
         application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Always the same signed call, and never the same body.
fn repeated(turn: u64) -> Vec<u8> {
    let mut body = format!("turn={turn}&x=").into_bytes();
    body.resize(BODY_LEN, b'x');
    post(&signed(u64::MAX), "", &body)
}

async fn status(stream: &mut TcpStream) -> String {
    let mut buffer = [0; 1_024];
    match stream.read(&mut buffer).await {
        Ok(length @ 12..) => String::from_utf8_lossy(&buffer[9..12.min(length)]).into_owned(),
        _ => "closed".to_owned(),
    }
}

/// Everything that is answered.
async fn whole(to: SocketAddr, request: &[u8]) -> Option<String> {
    let mut stream = TcpStream::connect(to).await.ok()?;
    stream.write_all(request).await.ok()?;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(TOO_LONG, stream.read_to_end(&mut answer)).await;
    Some(String::from_utf8_lossy(&answer).into_owned())
}

/// The cookies and the form's token of an answer.
fn held(answer: &str) -> Session {
    let mut cookies = BTreeMap::new();
    for line in answer.lines().filter_map(|line| line.strip_prefix("set-cookie: ")) {
        let pair = line.split(';').next().unwrap_or_default();
        if let Some((name, value)) = pair.split_once('=') {
            cookies.insert(name.to_owned(), value.to_owned());
        }
    }
    let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let csrf = answer.split_once("name=\"csrf\" value=\"").and_then(|(_, after)| after.split('"').next());
    Session { cookies: cookies.join("; "), csrf: csrf.unwrap_or_default().to_owned() }
}

async fn login_form(to: SocketAddr) -> Option<Session> {
    Some(held(&whole(to, &get("/login", "")).await?))
}

async fn sign_in(to: SocketAddr) -> Session {
    let form = login_form(to).await.expect("the form");
    let body = format!("csrf={}&name={PERSON}&password={}", form.csrf, PASSWORD.replace(' ', "+"));
    let request = post("/login", &format!("cookie: {}\r\n", form.cookies), body.as_bytes());
    let cookies = held(&whole(to, &request).await.expect("an answer")).cookies;
    let today = whole(to, &get("/", &format!("cookie: {cookies}\r\n"))).await.expect("a page");
    let csrf = held(&today).csrf;
    assert!(!csrf.is_empty(), "{PERSON} is signed in");
    Session { cookies, csrf }
}
