//! The servers of a point, what connects them, and the run between them.

use std::{
    collections::BTreeMap,
    fs, thread,
    time::{Duration, Instant},
};

use super::{
    history::History,
    story::{Features, Lives},
    writer::Writers,
};
use crate::{
    cmd, faults,
    harness::{Finished, Plan, Proxy, Random, Running, Server, Tool},
};

/// How the keys of another application begin.
pub const OTHER: &[u8] = b"other-application:";

/// What the plan of a point says.
pub struct Terms {
    /// It ends when nobody writes, without a cutover.
    pub idle: bool,
    pub verify: bool,
    pub lives: Lives,
    /// The copy takes longer than many of them.
    pub slow: bool,
    pub seed: u64,
}

/// A source with its own replica, a destination, writers and a run.
pub struct World {
    pub source: Server,
    /// A replica of the source: what a destination should hold.
    pub control: Server,
    pub destination: Server,
    /// The addresses, whichever server is behind them: of the source for its writers, for the run and for the control, and of
    /// the destination.
    pub clients: Proxy,
    pub from: Proxy,
    pub between: Proxy,
    pub to: Proxy,
    pub tool: Tool,
    pub run: Option<Running>,
    pub writers: Writers,
    pub random: Random,
    pub history: History,
    /// A replica of the destination that is about to be promoted.
    pub spare: Option<(Server, Proxy)>,
    /// What another application keeps at the destination.
    pub others: BTreeMap<Vec<u8>, Vec<u8>>,
    /// How often a replica became the source.
    pub promotions: i64,
    /// Processes of the run that have ended, but the last.
    pub ends: Vec<Finished>,
}

/// The database of a writer.
pub fn db(writer: u64) -> u32 {
    [0, 0, 3][usize::try_from(writer % 3).unwrap()]
}

impl World {
    pub fn new(from: &str, to: &str, terms: &Terms) -> Self {
        let start = |name: &str| Server::of(name).arg("--repl-backlog-size", "64mb").start();
        let (source, control, destination) = (start(from), start(from), start(to));
        faults::fill(&source, if terms.slow { 3000 } else { 300 }, 60);
        let proxy = |server: &Server| Proxy::to(server.port());
        let (clients, from, between, to) = (proxy(&source), proxy(&source), proxy(&source), proxy(&destination));
        control.client().command(&cmd!["SLAVEOF", "127.0.0.1", between.port()]);
        let features = Features::of(source.flavour, destination.flavour, terms.lives);
        let tool = Tool::new().env("NO_COLOR", "1").limit(Duration::from_mins(5));
        tool.write("plan.yaml", &plan(&from, &to, terms).text());
        tool.script("fenced.sh", "touch fenced; while test -e hold; do sleep 0.01; done");
        let writers = Writers::start(features, clients.port(), 3, Duration::from_millis(2), terms.seed);
        let (random, history) = (Random::seeded(terms.seed ^ 0x5eed), History::new());
        let (run, spare, others, promotions, ends) = (None, None, BTreeMap::new(), 0, vec![]);
        let mut world = Self {
            source,
            control,
            destination,
            clients,
            from,
            between,
            to,
            tool,
            run,
            writers,
            random,
            history,
            spare,
            others,
            promotions,
            ends,
        };
        world.await_control();
        world
    }

    pub fn begin(&mut self) {
        self.run = Some(self.tool.start(["apply", "plan.yaml", "--events", "events"]));
    }

    /// Whether the processes of the run have said this.
    pub fn has_said(&self, text: &str) -> bool {
        fs::read_to_string(self.tool.folder().join("events")).is_ok_and(|events| events.contains(text))
    }

    /// Whether every difference that a comparison found is of these kinds.
    pub fn differ_only_in(&self, kinds: &str) -> bool {
        let events = fs::read_to_string(self.tool.folder().join("events")).unwrap_or_default();
        let kinds = format!("\"kinds\":{kinds}");
        events.lines().filter(|line| line.contains("\"differs\"")).all(|line| line.contains(&kinds))
    }

    /// Begins another process when the last one ended in a way that asks for it; answers with an end that does not.
    pub fn keep_going(&mut self) -> Option<Finished> {
        if self.run.as_mut().is_some_and(Running::is_running) {
            return None;
        }
        let Some(run) = self.run.take() else {
            self.begin();
            return None;
        };
        let ended = run.wait();
        if !self.asks_for_another(&ended) {
            return Some(ended);
        }
        let last = ended.stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        self.history.note(format!("the process ended with {:?}: {last}", ended.code()));
        if ended.code() == Some(3) && self.random.between(0, 3) == 0 {
            self.history.note("the state directory is lost");
            drop(fs::remove_dir_all(self.tool.folder().join(".plan")));
        }
        thread::sleep(Duration::from_millis(if ended.code() == Some(5) { 1000 } else { 50 }));
        match consent(&ended) {
            // With the keys that go, those of others may go: the operator was shown their number.
            Some(keys) => {
                self.others.clear();
                let words = ["apply", "plan.yaml", "--events", "events", "--recopy", &keys];
                self.run = Some(self.tool.start(words));
            }
            None => self.begin(),
        }
        self.ends.push(ended);
        None
    }

    /// An operator runs the same command again, also after a failure, but not for ever.
    fn asks_for_another(&self, ended: &Finished) -> bool {
        let often = |code: i32| self.ends.iter().filter(|end| end.code() == Some(code)).count();
        match ended.code() {
            Some(75 | 130 | 143) => self.ends.len() < 60,
            Some(5) => often(5) < 25,
            Some(1) if met_no_server(ended) => often(1) < 30,
            Some(code @ (1 | 3)) => often(code) < 2,
            Some(4) => consent(ended).is_some() && often(4) < 2,
            None => true,
            _ => false,
        }
    }

    /// Waits until the run follows, or something else has become of it.
    pub fn await_following(&mut self) -> Option<Finished> {
        let since = Instant::now();
        while !self.has_said("follow_started") && since.elapsed() < Duration::from_secs(15) {
            if let Some(ended) = self.keep_going() {
                return Some(ended);
            }
            thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// Waits until the control has everything the source has; `false` when it does not come to that.
    pub fn await_control(&mut self) -> bool {
        let since = Instant::now();
        while since.elapsed() < Duration::from_secs(20) {
            let (here, there) = (replication(&self.source), replication(&self.control));
            let fact = |info: &Option<String>, name: &str| {
                info.as_ref()?.lines().find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
            };
            let up = fact(&there, "master_link_status:").is_some_and(|status| status == "up");
            let (sent, received) = (fact(&here, "master_repl_offset:"), fact(&there, "slave_repl_offset:"));
            if up && sent.is_some() && (sent == received || !self.writers.is_resting()) {
                return true;
            }
            thread::sleep(Duration::from_millis(5));
        }
        false
    }

    pub fn rest(&mut self) {
        self.writers.rest(&self.clients);
    }

    /// Everything that is to reach the source reaches this server from now on.
    pub fn lead_to_source(&mut self) {
        for proxy in [&self.clients, &self.from, &self.between] {
            proxy.point_at(self.source.port());
            proxy.cut();
        }
    }
}

/// The number with which an operator lets a held copy delete what is at the destination.
fn consent(ended: &Finished) -> Option<String> {
    let number = ended.stderr.split("--recopy ").nth(1)?;
    let number: String = number.chars().take_while(char::is_ascii_digit).collect();
    (ended.code() == Some(4) && !number.is_empty()).then_some(number)
}

/// A precheck came while a server was down, or still read its data.
pub fn met_no_server(ended: &Finished) -> bool {
    let down = |line: &str| line.contains("FAIL ") && ["-reachable", "loading"].iter().any(|word| line.contains(word));
    ended.code() == Some(1) && ended.stderr.lines().any(down)
}

fn replication(server: &Server) -> Option<String> {
    let mut client = crate::harness::Client::connect(server.port()).ok()?;
    let reply = client.exchange(&cmd!["INFO", "replication"]).ok()?;
    (!reply.is_error()).then(|| reply.text().to_owned())
}

fn plan(from: &Proxy, to: &Proxy, terms: &Terms) -> Plan {
    let stop = if terms.idle { "{ any: [source_idle: { for: 4s }] }" } else { "{ any: [command: cutover] }" };
    let mut plan = Plan::between_ports(from.port(), to.port()).following(stop);
    if !terms.idle {
        plan = plan
            .line("cutover: { mode: manual, timeout: 6s }")
            .line("hooks: [{ at: cutover.fenced, run: [./fenced.sh], timeout: 20s }]");
    }
    if terms.verify {
        plan = plan.line("verify: { mode: full }");
    }
    // Since a stream that is lost is not copied anew by itself, a plan may ask for it.
    if terms.seed.is_multiple_of(3) && include_str!("../../../schemas/plan.v1.json").contains("on_stream_lost") {
        plan = plan.line("on_stream_lost: recopy");
    }
    plan
}
