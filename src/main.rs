//! The `plan` binary.

fn main() -> std::process::ExitCode {
    redis_plan::cli::run(std::env::args_os())
}
