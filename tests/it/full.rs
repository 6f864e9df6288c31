//! A full migration leaves the destination equal to the source.

use std::{thread, time::Duration};

use crate::harness::{Comparer, Dataset, Plan, Random, Server, Size, Tool};

#[test]
fn everything_arrives() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    Dataset::new(source.flavour, Size::Full, 1).with_bulk(2000).load(&source);
    let tool = Tool::new().limit(Duration::from_secs(30));
    tool.write("plan.yaml", &Plan::between(&source, &destination).text());
    let done = tool.run(["apply", "plan.yaml"]).expect(0);
    println!("{done}");
    Comparer::of(&source, &destination).run().assert_equal();
    assert!(done.peak_memory < 128 << 20, "{} bytes: {done}", done.peak_memory);
    tool.run(["apply", "plan.yaml"]).expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}

#[test]
fn kills_at_random_moments_change_nothing() {
    let (source, destination) = (Server::start("redis-5.0.10"), Server::start("redis-7.0.15"));
    Dataset::new(source.flavour, Size::Full, 2).with_bulk(30_000).load(&source);
    let mut random = Random::fresh();
    let tool = Tool::new().limit(Duration::from_secs(30));
    tool.write("plan.yaml", &Plan::between(&source, &destination).text());
    let mut killed = 0;
    // Each run may live somewhat longer than the last one: the first cannot get through.
    while killed < 20 {
        let mut run = tool.start(["apply", "plan.yaml"]);
        thread::sleep(Duration::from_millis(random.between(1, 20 * (killed + 1))));
        if !run.is_running() {
            run.wait().expect(0);
            break;
        }
        run.kill9();
        killed += 1;
    }
    println!("{killed} kills");
    assert!(killed >= 5, "a run that lived for a tenth of a second cannot have got through");
    tool.run(["apply", "plan.yaml"]).expect(0);
    Comparer::of(&source, &destination).run().assert_equal();
}
