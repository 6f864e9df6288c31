use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::STYLE;
use super::run_html;
use crate::report::run::{Sample, Sampled, Sampler};
use crate::report::sample;
use crate::step::{
    CutoverPart, CutoverResult, DifferenceKind, Event, FollowProgress, JudgedBy, KeyDifference, Lag, LinkBytes, Moment,
    Outcome, ServerFacts, Side, SideOfKey, Stamped, StepId, Traffic, VerifyCount, VerifyMode, VerifyResult,
};
use crate::unit::{Db, Offset, UnixMillis};

/// The sample's two processes, and a third one a night later that follows and cuts over at the second try.
fn events() -> Vec<Stamped> {
    let mut events = sample::events();
    events.truncate(events.len() - 3);
    let server = |side, version: &str, eviction: Option<&str>| Event::Server {
        server: ServerFacts {
            side,
            version: Some(version.to_owned()),
            role: Some("master".to_owned()),
            run_id: Some("f3a1b2c4d5e6f708192a3b4c5d6e7f8091a2b3c4".to_owned()),
            replid: None,
            eviction: eviction.map(str::to_owned),
        },
    };
    let setting = |was: &str, set_to: &str| Event::SettingChanged {
        setting: "client-output-buffer-limit".to_owned(),
        was: was.to_owned(),
        set_to: set_to.to_owned(),
    };
    let restored = Event::SettingRestored {
        setting: "client-output-buffer-limit".to_owned(),
        was: "268435456 67108864 60".to_owned(),
        now: "268435456 67108864 60".to_owned(),
    };
    let traffic = |received, sent| Event::Traffic {
        traffic: Traffic {
            source: LinkBytes { sent: 4000, received },
            destination: LinkBytes { sent, received: sent / 40 },
        },
    };
    let early = [
        (25, server(Side::Source, "Redis 5.0.10", None)),
        (26, server(Side::Destination, "Valkey 9.1.2", Some("noeviction"))),
        (3, setting("268435456 67108864 60", "0 0 0")),
        (6_900, traffic(31_000_000, 4_200_000)),
        (71_000, traffic(70_000_000, 104_000_000)),
        (72_020, restored),
    ];
    events.extend(early.map(|(millis, event)| Stamped { at: sample::at(millis), event }));
    events.sort_by_key(|event| event.at);
    let night = 9 * 3_600_000;
    events.extend(third().into_iter().map(|(millis, event)| Stamped { at: sample::at(night + millis), event }));
    events
}

fn third() -> Vec<(i64, Event)> {
    let part = |part, offset: Option<u64>| Event::CutoverPart { part, offset: offset.map(Offset) };
    let following = |step: u64, lag| Event::Following {
        progress: FollowProgress {
            applied: Offset(14_001 + step * 900),
            lag: Some(Lag { bytes: 4096, seconds: lag }),
            commands: step * 500,
            commands_per_second: 1000.0 + f64::from(u32::try_from(step).unwrap()) * 30.0,
            bytes_per_second: 180_000.0,
            ..FollowProgress::default()
        },
    };
    let hook = |moment, failure: Option<&str>| Event::HookRan {
        moment,
        program: "./switch-dns.sh".to_owned(),
        seconds: 0.2,
        failure: failure.map(str::to_owned),
    };
    let started = Event::RunStarted {
        run: "7f3a".to_owned(),
        plan: "cart-prod".to_owned(),
        digest: sample::DIGEST.to_owned(),
        attempt: 3,
    };
    let undone = Event::CutoverUndone {
        part: CutoverPart::Drain,
        reason: "The hook `./switch-dns.sh` failed: it ended with 1.".to_owned(),
        blocked: 0.31,
    };
    let result = CutoverResult {
        offset: Offset(99_100),
        blocked: 0.084,
        fence: "client_pause".to_owned(),
        proven: true,
        late: 0,
    };
    let removed = Event::AccountRemoved { side: Side::Destination, proof: "the plan's password is refused".to_owned() };
    let summary = "Followed up to offset 99100; sealed at offset 99100, writes were blocked for 0.084 s.".to_owned();
    let mut events = vec![
        (0, started),
        (10, Event::StepSkipped { step: StepId::Full, reason: "it was done before".to_owned() }),
        (11, Event::StepStarted { step: StepId::Incremental }),
        (12, Event::FollowStarted { replid: None, offset: Offset(14_001) }),
        (40_000, Event::LinkLost { reason: "10.0.0.5:6379: the connection was reset".to_owned() }),
        (40_500, Event::Waiting { step: StepId::Incremental, reason: "the source does not answer".to_owned() }),
        (43_000, Event::Waiting { step: StepId::Incremental, reason: "the source does not answer".to_owned() }),
        (44_000, Event::LinkRestored { replid: None, offset: Offset(50_000) }),
        (70_000, part(CutoverPart::Fence, None)),
        (70_030, part(CutoverPart::Drain, Some(90_000))),
        (70_300, hook(Moment::CutoverFenced, Some("it ended with 1"))),
        (70_310, undone),
        (90_000, part(CutoverPart::Fence, None)),
        (90_012, part(CutoverPart::Drain, Some(99_000))),
        (90_020, Event::Differs { difference: difference() }),
        (90_040, Event::Verified { result: verified() }),
        (90_070, part(CutoverPart::Seal, Some(99_100))),
        (90_084, Event::Sealed { result }),
        (90_090, traffic_of_third()),
        (90_100, Event::StepDone { step: StepId::Incremental, seconds: 90.089 }),
        (90_101, Event::StepStarted { step: StepId::Cleanup }),
        (90_300, removed),
        (90_310, Event::StepDone { step: StepId::Cleanup, seconds: 0.209 }),
        (90_320, Event::RunFinished { outcome: Outcome::Done, code: "R000".to_owned(), summary, seconds: 90.32 }),
    ];
    events.extend((0..170).map(|step| {
        let lag = if step == 85 { 3.2 } else { 0.2 + f64::from(u32::try_from(step % 5).unwrap()) / 50.0 };
        (500 + i64::try_from(step).unwrap() * 500, following(step, lag))
    }));
    events.sort_by_key(|(at, _)| *at);
    events
}

fn difference() -> KeyDifference {
    let digest = Some("00112233445566778899aabbccddeeff".to_owned());
    KeyDifference {
        db: Db(3),
        to: Db(1),
        key: "cart:<9>".to_owned(),
        hex: "636172743a3c393e".to_owned(),
        kinds: vec![DifferenceKind::Field],
        source: Some(SideOfKey { kind: "hash".to_owned(), digest, elements: Some(3), ends: None }),
        destination: None,
        repaired: Some(true),
    }
}

fn verified() -> VerifyResult {
    VerifyResult {
        mode: Some(VerifyMode::Full),
        seed: None,
        counts: vec![VerifyCount { db: Db(0), kind: "hash".to_owned(), keys: 900_000, different: 0 }],
        expired: 3,
        gone: 1,
        filtered: 0,
        skipped: 0,
        foreign: vec![],
        different: 0,
        unsettled: 0,
        repaired: 1,
        judged_by: JudgedBy::AppliedOffset,
        seconds: 21.5,
    }
}

fn traffic_of_third() -> Event {
    Event::Traffic {
        traffic: Traffic {
            source: LinkBytes { sent: 9000, received: 16_000_000 },
            destination: LinkBytes { sent: 17_500_000, received: 400_000 },
        },
    }
}

fn samples(events: &[Stamped]) -> Vec<Sample> {
    let mut sampler = Sampler::default();
    let taken = events.iter().filter_map(|event| match sampler.take(event) {
        Sampled::One(sample) => Some(sample),
        _ => None,
    });
    taken.collect()
}

fn page() -> String {
    let events = events();
    run_html(&events, &samples(&events), &sample::rich())
}

#[test]
fn the_page_of_a_whole_run() {
    let page = page().replace(STYLE, "").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!("page", page);
}

#[test]
fn a_run_that_has_not_ended_or_begun_says_so() {
    let events = events();
    assert!(run_html(&events[..11], &[], &sample::rich()).contains("unfinished</span>"));
    assert!(run_html(&[], &[], &sample::minimal()).contains("not started</span>"));
}

#[test]
fn a_run_that_was_refused_has_its_page() {
    let mut events = sample::events();
    events.truncate(7);
    let summary = "An item of the precheck failed.".to_owned();
    events.push(Stamped {
        at: sample::at(40),
        event: Event::RunFinished { outcome: Outcome::Refused, code: "R101".to_owned(), summary, seconds: 0.04 },
    });
    let page = run_html(&events, &[], &sample::minimal());
    assert!(page.contains("refused</span>") && page.contains("destination-eviction"), "{page}");
}

/// The tags of a page: name, and whether it opens.
fn tags(page: &str) -> Vec<(String, bool, String)> {
    let pieces = page.split('<').skip(1).map(|piece| piece.split('>').next().unwrap().to_owned());
    pieces
        .map(|tag| {
            let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap().to_owned();
            (name, !tag.starts_with('/'), tag)
        })
        .collect()
}

fn assert_whole(page: &str) {
    let mut open: Vec<String> = vec![];
    for (name, opens, tag) in tags(page) {
        let alone = matches!(name.as_str(), "!doctype" | "meta" | "link") || tag.ends_with('/');
        match (alone, opens) {
            (true, _) => {}
            (false, true) => open.push(name),
            (false, false) => assert_eq!(open.pop(), Some(name), "{tag}"),
        }
    }
    assert_eq!(open, Vec::<String>::new());
}

/// The values of an attribute.
fn attributes(page: &str, name: &str) -> Vec<String> {
    let starts = format!(" {name}=\"");
    tags(page)
        .iter()
        .flat_map(|(.., tag)| tag.split(&starts).skip(1))
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect()
}

#[test]
fn the_page_is_whole_and_can_be_read_without_seeing_it() {
    let page = page();
    assert_whole(&page);
    let ids = attributes(&page, "id");
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    for name in attributes(&page, "aria-labelledby").iter().flat_map(|names| names.split(' ')) {
        assert!(ids.iter().any(|id| id == name), "{name}");
    }
    let drawings = page.matches("<svg").count();
    assert!(drawings >= 5 && page.matches("<desc").count() == drawings, "{drawings}");
    assert_eq!(page.matches("<th ").count(), page.matches("<th scope=").count());
    assert_eq!(page.matches("<table>").count(), page.matches("<caption>").count());
    assert_eq!((page.matches("<h1").count(), page.matches("<main").count()), (1, 1));
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page();
    assert_eq!(attributes(&page, "href"), ["data:,"]);
    assert_eq!(attributes(&page, "src"), Vec::<String>::new());
    for word in ["url(", "@import", "<script", "<iframe", "<img", "<link rel=\"stylesheet"] {
        assert!(!page.contains(word), "{word}");
    }
    assert!(!tags(&page).iter().any(|(.., tag)| tag.contains(" on")), "an attribute that runs something");
    assert!(page.contains("default-src 'none'"));
}

/// Puts markup into every text that a server, a plan or an operator can choose.
fn poison(value: &mut Value, key: &str) {
    const FREE: [&str; 16] = [
        "text", "reason", "summary", "seen", "remedy", "item", "key", "type", "name", "change", "program", "failure",
        "proof", "version", "was", "team",
    ];
    match value {
        Value::String(text) if FREE.contains(&key) => text.push_str("<script>alert(1)</script>\"'&\u{1b}[2J`"),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| poison(value, key)),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key)),
        _ => {}
    }
}

#[test]
fn nothing_that_a_server_or_a_plan_says_becomes_markup() {
    let mut poisoned = 0;
    let events: Vec<Stamped> = events()
        .iter()
        .map(|event| {
            let mut value = serde_json::to_value(event).unwrap();
            poison(&mut value, "");
            poisoned += value.to_string().matches("<script>").count();
            serde_json::from_value(value).unwrap()
        })
        .collect();
    let mut graph = sample::rich();
    graph.name.push_str("<script>");
    graph.change = Some("</title><script>".to_owned());
    let page = run_html(&events, &samples(&events), &graph);
    assert!(poisoned > 20, "{poisoned}");
    assert!(page.matches("&lt;script&gt;").count() > 20);
    assert!(!page.contains("<script") && !page.contains('\u{1b}'));
    assert_whole(&page);
}

/// The colours of the style, for each of light, dark and print.
fn palettes() -> Vec<BTreeMap<String, [f64; 3]>> {
    let blocks = STYLE.split(":root {").skip(1).map(|block| block.split('}').next().unwrap());
    blocks
        .map(|block| {
            let colours = block.split("--").skip(1).filter_map(|entry| {
                let (name, value) = entry.split_once(": #")?;
                let channel = |at: usize| f64::from(u8::from_str_radix(&value[at..at + 2], 16).unwrap()) / 255.0;
                Some((name.to_owned(), [channel(0), channel(2), channel(4)]))
            });
            colours.collect()
        })
        .collect()
}

/// The contrast of two colours by WCAG 2.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let linear = |c: f64| if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) };
    let luminance = |[r, g, b]: [f64; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn text_and_lines_stand_out_in_every_light() {
    let palettes = palettes();
    assert_eq!(palettes.len(), 3);
    for (light, colours) in palettes.iter().enumerate() {
        let text = [
            ("ink", "page"),
            ("ink", "sheet"),
            ("soft", "page"),
            ("soft", "sheet"),
            ("soft", "wash"),
            ("good", "good-wash"),
            ("risky", "risky-wash"),
            ("bad", "bad-wash"),
            ("good", "sheet"),
            ("risky", "sheet"),
            ("bad", "sheet"),
            ("sheet", "a"),
            ("sheet", "b"),
            ("sheet", "c"),
            ("sheet", "d"),
            ("sheet", "bad"),
        ];
        let lines = [("a", "sheet"), ("b", "sheet"), ("c", "sheet"), ("d", "sheet")];
        let wanted = text.map(|pair| (pair, 4.5)).into_iter().chain(lines.map(|pair| (pair, 3.0)));
        for ((front, back), least) in wanted {
            let found = contrast(colours[front], colours[back]);
            assert!(found >= least, "palette {light}: {front} on {back} is {found:.2}, not {least}");
        }
    }
}

#[test]
fn a_page_of_a_long_run_stays_small() {
    let mut events = events();
    let last = events.pop().unwrap();
    let begin = last.at.0;
    let night = (0..20_000).map(|step| Stamped {
        at: UnixMillis(begin + step * 5000),
        event: Event::Notice { text: format!("notice {step}") },
    });
    events.extend(night);
    events.push(Stamped { at: UnixMillis(begin + 20_000 * 5000), event: last.event });
    let page = run_html(&events, &samples(&events), &sample::rich());
    assert!(page.contains("more, all of them in the event log") && page.len() < 400_000, "{}", page.len());
}
