//! The command line.

mod explain;
mod schema;
mod validate;

pub use explain::{ExplainArgs, explain};
pub use schema::{SchemaArgs, schema};
pub use validate::{ValidateArgs, validate};

/// Runs the tool and maps its outcome to an exit code.
pub fn run(args: impl IntoIterator<Item = std::ffi::OsString>) -> std::process::ExitCode {
    use clap::Parser;
    #[derive(Parser)]
    enum App {
        Validate(ValidateArgs),
        Schema(SchemaArgs),
        Explain(ExplainArgs),
    }
    let style = crate::report::diagnostics::Style { width: 100, colour: false };
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let code = match App::parse_from(args) {
        App::Validate(args) => validate(&args, style, &mut out, &mut err),
        App::Schema(args) => schema(&args, &mut out),
        App::Explain(args) => explain(&args, 80, &mut out, &mut err),
    };
    code.unwrap_or(3).into()
}
