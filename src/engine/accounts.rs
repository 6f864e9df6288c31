//! Accounts that only the migration needed: removed, and proved removed. The last thing a run does, since it may end its own
//! right to connect.

use std::time::Duration;

use redis::cmd;

use super::{ending::Ending, hooks::Program, run::Run, teller::Teller};
use crate::{
    journal::Record,
    net::{Access, ControlError},
    resp::RefusalKind,
    step::{Account, CleanupWork, Event, Removal, Side},
};

/// How long a program that removes an account may take.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Removes the accounts that are still there.
pub(super) async fn remove(run: &mut Run, work: &CleanupWork, teller: &mut Teller<'_>) -> Result<(), Ending> {
    for (index, account) in work.accounts.iter().enumerate() {
        if run.journal.state().accounts.contains(&index) {
            continue;
        }
        let proof = match &account.removal {
            Removal::User(user) => delete(run, account.side, user).await?,
            Removal::Run(argv) => by_program(run, account, argv).await?,
        };
        run.journal.append(&Record::AccountRemoved { account: index })?;
        teller.tell(Event::AccountRemoved { side: account.side, proof });
    }
    Ok(())
}

/// `ACL DELUSER`, and the proof: the user is not among those of `ACL LIST`, or, when it was our own, is not let in.
async fn delete(run: &Run, side: Side, user: &str) -> Result<String, Ending> {
    let access = run.request.servers.of(side);
    let own = access.username.as_deref() == Some(user);
    let failed = |error: ControlError| {
        Ending::failed(format!(
            "The account `{user}` at the {side} could not be deleted: {error}. Everything else is done; fix that and rerun the \
             command."
        ))
    };
    let mut control = match access.control().await {
        Ok(control) => control,
        // An earlier process deleted it and died before it could note that.
        Err(error) if own && turned_away(&error) => return Ok(format!("`{user}` is not let in any more")),
        Err(error) => return Err(failed(error)),
    };
    let deleted = control.command(cmd("ACL").arg("DELUSER").arg(user)).await;
    if own {
        // The server ends the connections of a user that it deletes, this one too.
        if let Err(error) = deleted
            && error.refusal().is_some()
        {
            return Err(failed(error));
        }
        return refused_now(access, side).await;
    }
    deleted.map_err(failed)?;
    let users: Vec<String> = control.query(cmd("ACL").arg("USERS")).await.map_err(failed)?;
    if users.iter().any(|other| other == user) {
        return Err(Ending::failed(format!(
            "The {side} says that the account `{user}` is deleted, and lists it still."
        )));
    }
    Ok(format!("`{user}` is not among the {side}'s users any more"))
}

/// Runs the program, and proves that the plan's password is refused where the plan has one.
async fn by_program(run: &Run, account: &Account, argv: &[String]) -> Result<String, Ending> {
    let access = run.request.servers.of(account.side);
    let facts = [("PLAN_SIDE", account.side.to_string())];
    let program = Program::of(run, argv, TIMEOUT, "cleanup.accounts", &facts);
    let name = program.name();
    if let Some(failure) = program.run().await.failure {
        return Err(Ending::failed(format!(
            "The program `{name}` that removes the account at the {} failed: {failure}. Everything else is done; fix that and \
             rerun the command.",
            account.side
        )));
    }
    if access.password.is_none() {
        return Ok(format!("`{name}` says so; the plan has no password there that could be tried"));
    }
    refused_now(access, account.side).await
}

/// The plan's own way in must be refused.
async fn refused_now(access: &Access, side: Side) -> Result<String, Ending> {
    match access.control().await {
        Err(error) if turned_away(&error) => Ok("the plan's password is refused".to_owned()),
        Ok(_) => Err(Ending::failed(format!(
            "The account at the {side} was to be removed, but the plan's password still lets in. Remove it yourself."
        ))),
        Err(error) => {
            Err(Ending::failed(format!("Whether the account at the {side} is removed is not known: {error}.")))
        }
    }
}

fn turned_away(error: &ControlError) -> bool {
    matches!(error.refusal(), Some(RefusalKind::WrongPassword | RefusalKind::NoAuth))
}
