//! Which servers there are on this machine.

use std::path::{Path, PathBuf};

use super::error::DemoError;

/// The pair that shows most: a source before Redis 6, a destination with another dump format.
const PREFERRED: [&str; 2] = ["redis-5.0.10", "redis-7.2.4"];

/// The programs of both sides.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Installed {
    /// The source's `redis-server`.
    pub(super) source: PathBuf,
    /// The destination's `redis-server`.
    pub(super) destination: PathBuf,
}

impl Installed {
    /// Looks for two versions in the folder of servers, else takes the PATH's server twice.
    pub(super) fn find() -> Result<Self, DemoError> {
        let folder = folder();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path =
            std::env::split_paths(&path).map(|folder| folder.join("redis-server")).find(|file| file.is_file());
        Self::choose(&servers(&folder), in_path).ok_or(DemoError::NoServer { folder })
    }

    fn choose(servers: &[(Vec<u32>, PathBuf)], in_path: Option<PathBuf>) -> Option<Self> {
        let program = |name: &str| {
            let found = servers.iter().find(|(_, folder)| folder.ends_with(name));
            found.map(|(_, folder)| folder.join("redis-server"))
        };
        if let [Some(source), Some(destination)] = PREFERRED.map(program) {
            return Some(Self { source, destination });
        }
        if let [(_, oldest), .., (_, newest)] = servers {
            let (source, destination) = (oldest.join("redis-server"), newest.join("redis-server"));
            return Some(Self { source, destination });
        }
        let only = servers.first().map(|(_, folder)| folder.join("redis-server")).or(in_path)?;
        Some(Self { source: only.clone(), destination: only })
    }
}

/// `$REDIS_PLAN_SERVERS`, as the installer of the tests has it.
fn folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("REDIS_PLAN_SERVERS").unwrap_or_else(|| {
        let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        cache.unwrap_or_default().join("redis-plan/servers")
    })
}

/// The Redis servers in `folder`, oldest first.
fn servers(folder: &Path) -> Vec<(Vec<u32>, PathBuf)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let with_program = entries.filter(|folder| folder.join("redis-server").is_file());
    let mut servers: Vec<_> = with_program.filter_map(|folder| Some((number(&folder)?, folder))).collect();
    servers.sort();
    servers
}

/// The version in a folder's name, such as `redis-5.0.10`; `None` for what is not Redis or not a release.
fn number(folder: &Path) -> Option<Vec<u32>> {
    let version = folder.file_name()?.to_str()?.strip_prefix("redis-")?;
    version.split('.').map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(names: &[&str], in_path: Option<&str>) -> Option<[String; 2]> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::create_dir(folder.path().join(name)).unwrap();
            std::fs::write(folder.path().join(name).join("redis-server"), "").unwrap();
        }
        let found = Installed::choose(&servers(folder.path()), in_path.map(PathBuf::from))?;
        let name = |path: PathBuf| path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        Some([name(found.source), name(found.destination)])
    }

    #[test]
    fn two_versions_are_better_than_one() {
        let all = ["redis-2.8.17", "redis-5.0.10", "redis-7.2.4", "redis-10.0.0", "valkey-9.1.2", "redis-4.0-rc2"];
        assert_eq!(choose(&all, None).unwrap(), PREFERRED);
        assert_eq!(choose(&["redis-6.2.14", "redis-10.0.0"], None).unwrap(), ["redis-6.2.14", "redis-10.0.0"]);
        assert_eq!(choose(&["redis-6.2.14"], None).unwrap(), ["redis-6.2.14", "redis-6.2.14"]);
        assert_eq!(choose(&[], Some("/usr/bin/redis-server")).unwrap(), ["bin", "bin"]);
        assert_eq!(choose(&["valkey-9.1.2"], None), None);
    }
}
