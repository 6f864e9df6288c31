//! A headless Chromium, as `tests/servers/browser/install` puts it there: looks at a page and tells what it complained of.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command as Process,
};

use tempfile::TempDir;

/// Looks at files on the disk. Each look is a browser of its own, with a new profile.
pub struct Browser {
    folder: TempDir,
}

/// What a look at a page came to.
#[derive(Debug)]
pub struct Look {
    /// What the page, its styles or its policy complained of, a line each.
    pub complaints: Vec<String>,
    /// What was written: a picture, a print, or nothing for the document.
    pub file: PathBuf,
    /// The document as the browser understood it.
    pub document: String,
}

/// How the page is looked at.
#[derive(Clone, Copy)]
pub enum Light {
    Light,
    Dark,
}

impl Browser {
    pub fn new() -> Self {
        Self { folder: TempDir::with_prefix("redis-plan-browser-").unwrap() }
    }

    /// Takes a picture.
    pub fn picture(&self, page: &Path, light: Light, (width, height): (u32, u32)) -> Look {
        let file = self.folder.path().join(match light {
            Light::Light => "light.png",
            Light::Dark => "dark.png",
        });
        let scheme = match light {
            Light::Light => "--blink-settings=preferredColorScheme=1",
            Light::Dark => "--blink-settings=preferredColorScheme=0",
        };
        let size = format!("--window-size={width},{height}");
        let shot = format!("--screenshot={}", file.display());
        let mut look = self.look(page, &[scheme, &size, &shot, "--hide-scrollbars"]);
        look.file = file;
        look
    }

    /// Prints it to a PDF.
    pub fn print(&self, page: &Path) -> Look {
        let file = self.folder.path().join("print.pdf");
        let print = format!("--print-to-pdf={}", file.display());
        let mut look = self.look(page, &[&print, "--no-pdf-header-footer"]);
        look.file = file;
        look
    }

    /// Reads it as the browser does.
    pub fn read(&self, page: &Path) -> Look {
        self.look(page, &["--dump-dom"])
    }

    fn look(&self, page: &Path, how: &[&str]) -> Look {
        let profile = TempDir::new_in(self.folder.path()).unwrap();
        let mut process = Process::new("timeout");
        process.args([
            "60",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ]);
        process.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        process.args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0"]);
        process.arg(format!("--user-data-dir={}", profile.path().display()));
        process.args(how).arg(format!("file://{}", page.display()));
        let output = process.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            output.status.success(),
            "no chromium that works (bash tests/servers/browser/install): {}\n{said}",
            output.status
        );
        // `[123:123:1125/142539.1:INFO:CONSOLE(3)] "text", source: file:///… (3)`
        let complaints = said.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned).collect();
        let document = String::from_utf8_lossy(&output.stdout).into_owned();
        Look { complaints, file: PathBuf::new(), document }
    }
}

impl Look {
    /// Keeps what was written where a person can look at it, when `REDIS_PLAN_PICTURES` names a folder.
    pub fn keep(&self) -> &Self {
        if let Some(folder) = std::env::var_os("REDIS_PLAN_PICTURES").map(PathBuf::from) {
            fs::create_dir_all(&folder).unwrap();
            fs::copy(&self.file, folder.join(self.file.file_name().unwrap())).unwrap();
        }
        self
    }
}
