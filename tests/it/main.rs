//! Integration tests against real servers, which `tests/servers/install` fetches.

#![expect(clippy::unwrap_used, reason = "a test ends where its world is not as expected")]
#![expect(unreachable_pub, reason = "nothing of a test binary is reachable from outside")]
#![expect(clippy::useless_vec, reason = "a command is a list of its own, whoever takes it")]
#![expect(clippy::print_stdout, reason = "what a test prints is shown when it fails")]

mod bad_input;
mod book;
mod bounds;
mod campaign;
mod canary;
mod chaos;
mod check;
mod check_destination;
mod check_source;
mod comparer_finds;
mod conflicts;
mod connections;
mod cutover;
mod doubts;
mod endings;
mod expiry;
mod faults;
mod fingerprint;
mod follow;
mod following;
mod following_disk;
mod following_faults;
mod following_lease;
mod following_load;
mod following_source;
mod full;
mod harness;
mod harness_works;
mod host;
mod idle;
mod large;
mod late_writes;
mod matrix;
mod metrics;
mod moved;
mod operations;
mod others;
mod pending;
mod permissions;
mod pins;
mod proof;
mod rdb_goldens;
mod refusals;
mod replies;
mod report;
mod resume;
mod routes;
mod sealed;
mod selection;
mod settings;
mod settling;
mod silence;
mod steering;
mod story;
mod tls;
mod uncarried;
mod unended;
mod values;
mod verify;
mod verify_cases;
mod verify_cutover;
mod verify_runs;
