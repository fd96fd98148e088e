//! A person's browser: headless Chromium, driven over WebDriver, that reads and fills the portal's pages by
//! the names and ids that they promise.

use std::{fs, path::PathBuf, process::Command, sync::Arc, time::Duration};

use anyhow::{Context, ensure};
use fantoccini::{
    Client, ClientBuilder, Locator,
    actions::{InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction},
};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::lab::{Run, process::Program, wait::until};

/// The Tab key, as WebDriver calls it.
const TAB: char = '\u{E004}';
const START_LIMIT: Duration = Duration::from_secs(60);
const ELEMENT_LIMIT: Duration = Duration::from_secs(15);
/// From a press of a button to the page that it leads to.
const PAGE_LIMIT: Duration = Duration::from_secs(30);
/// What Chromium would otherwise do beside showing pages: sandboxes that root cannot have, and calls home.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-default-browser-check",
    "--lang=en-US",
    "--window-size=1280,1000",
];

/// One browser window, and the driver behind it.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    portal: String,
    screenshots: Option<PathBuf>,
    _driver: Arc<Program>,
}

impl Browser {
    /// Starts ChromeDriver and Chromium. Screenshots go to `screenshots`, if anywhere.
    pub async fn start(
        run: &Run,
        portal: String,
        screenshots: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        if let Some(folder) = &screenshots {
            fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
        }
        let profile = run.folder().join("browser");
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").env("HOME", &profile);
        let mut driver = Program::start("chromedriver", command, run.folder())?;
        let port = until("ChromeDriver listens", START_LIMIT, async || {
            driver.still_runs()?;
            port_in(&driver.logged()).context("it named no port")
        })
        .await?;
        let mut flags: Vec<_> = FLAGS.iter().map(ToString::to_string).collect();
        flags.push(format!("--user-data-dir={}", profile.display()));
        let capabilities = json!({
            "goog:chromeOptions": { "args": flags, "prefs": { "intl.accept_languages": "en-US,en" } }
        });
        let capabilities = capabilities.as_object().cloned().unwrap_or_default();
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .context("open a browser window")?;
        Ok(Self {
            client,
            portal,
            screenshots,
            _driver: Arc::new(driver),
        })
    }

    /// The same window, for another portal.
    #[must_use]
    pub fn at(&self, portal: String) -> Self {
        Self {
            client: self.client.clone(),
            portal,
            screenshots: self.screenshots.clone(),
            _driver: self._driver.clone(),
        }
    }

    /// Opens a page of the portal by its path, or any address.
    pub async fn open(&self, path: &str) -> anyhow::Result<()> {
        let address = if path.starts_with('/') {
            format!("{}{path}", self.portal)
        } else {
            path.to_owned()
        };
        self.client
            .goto(&address)
            .await
            .with_context(|| format!("open {address}"))
    }

    /// Loads the page again.
    pub async fn reload(&self) -> anyhow::Result<()> {
        self.client.refresh().await.context("load the page again")
    }

    /// Goes back one page, as the browser's button does.
    pub async fn back(&self) -> anyhow::Result<()> {
        self.client.back().await.context("go back")
    }

    /// Path of the page that is shown.
    pub async fn path(&self) -> anyhow::Result<String> {
        let address = self
            .client
            .current_url()
            .await
            .context("read the address")?;
        Ok(address.path().to_owned())
    }

    /// Path and query of the page that is shown.
    pub async fn address(&self) -> anyhow::Result<String> {
        let address = self.client.current_url().await;
        let address = address.context("read the address")?;
        let query = address.query().unwrap_or_default();
        Ok(format!("{}?{query}", address.path()))
    }

    /// Fails unless the page that is shown is at this path.
    pub async fn is_at(&self, path: &str) -> anyhow::Result<()> {
        let found = self.path().await?;
        ensure!(found == path, "it leads to {found} and not to {path}");
        Ok(())
    }

    /// Forgets whom the portal knows: it is somebody else's browser from then on.
    pub async fn forget(&self) -> anyhow::Result<()> {
        self.open("/sign-in").await?;
        let forgotten = self.client.delete_all_cookies().await;
        forgotten.context("delete the cookies")
    }

    /// The file that the portal answers with at `path`.
    pub async fn file(&self, path: &str) -> anyhow::Result<String> {
        let script = "const [path, done] = arguments;
            fetch(path).then((answer) => answer.arrayBuffer())
              .then((bytes) => done(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)),
                (error) => done(String(error)));";
        let file = self.client.execute_async(script, vec![json!(path)]).await;
        let file = file.with_context(|| format!("fetch {path}"))?;
        Ok(file.as_str().context("a text")?.to_owned())
    }

    /// Runs a script in the page.
    pub async fn execute(&self, script: &str) -> anyhow::Result<()> {
        let ran = self.client.execute(script, Vec::new()).await;
        ran.map(|_| ()).context("run a script")
    }

    /// Runs a script in the page that calls its last argument with an answer.
    pub async fn answer(&self, script: &str) -> anyhow::Result<serde_json::Value> {
        let answer = self.client.execute_async(script, Vec::new()).await;
        answer.context("wait for the answer of a script")
    }

    /// Chooses one of the radio buttons `name`.
    pub async fn choose(&self, name: &str, value: &str) -> anyhow::Result<()> {
        self.press(&format!("input[name='{name}'][value='{value}']"))
            .await
    }

    /// Chooses an entry of the list `name`.
    pub async fn select(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let list = self
            .client
            .find(Locator::Css(&format!("select[name='{name}']")))
            .await
            .with_context(|| format!("find the list {name}"))?;
        let chosen = list.select_by_value(value).await;
        chosen.with_context(|| format!("choose {value} of {name}"))
    }

    /// Types into the field `name`, in place of what is there.
    pub async fn fill(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let field = self
            .client
            .wait()
            .at_most(ELEMENT_LIMIT)
            .for_element(Locator::Css(&format!("[name='{name}']")))
            .await
            .with_context(|| format!("find the field {name}"))?;
        field
            .clear()
            .await
            .with_context(|| format!("empty the field {name}"))?;
        field
            .send_keys(value)
            .await
            .with_context(|| format!("fill the field {name}"))
    }

    /// Ticks the box `name`.
    pub async fn tick(&self, name: &str) -> anyhow::Result<()> {
        let css = format!("input[type='checkbox'][name='{name}']");
        let field = self.client.find(Locator::Css(&css)).await;
        let field = field.with_context(|| format!("find the box {name}"))?;
        if field.is_selected().await.context("look at a box")? {
            return Ok(());
        }
        self.press(&css).await
    }

    /// Presses the button with this id, which sends a form, and waits for the page that answers.
    pub async fn click(&self, id: &str) -> anyhow::Result<()> {
        self.follow(&format!("#{id}")).await
    }

    /// Presses what leads to another page, and waits for that: the old one may well stand there for a while, and would be
    /// read in its place.
    pub async fn follow(&self, css: &str) -> anyhow::Result<()> {
        let leave = "document.documentElement.dataset.left = 'yes';";
        let marked = self.client.execute(leave, Vec::new()).await;
        marked.context("mark the page that is left")?;
        self.press(css).await?;
        let arrived =
            "return document.readyState === 'complete' && !document.documentElement.dataset.left;";
        until(&format!("the page behind {css}"), PAGE_LIMIT, async || {
            let arrived = self.client.execute(arrived, Vec::new()).await;
            let arrived = arrived.context("look at the page")?;
            ensure!(arrived.as_bool() == Some(true), "the old page stands");
            Ok(())
        })
        .await
    }

    /// Presses the button with this id twice, as fast as a hand can.
    pub async fn double_click(&self, id: &str) -> anyhow::Result<()> {
        let css = format!("#{id}");
        let button = self.client.find(Locator::Css(&css)).await;
        let element = button.with_context(|| format!("find {css}"))?;
        let left = MOUSE_BUTTON_LEFT;
        let clicks = MouseActions::new("mouse".to_owned())
            .then(PointerAction::MoveToElement {
                element,
                duration: None,
                x: 0.0,
                y: 0.0,
            })
            .then(PointerAction::Down { button: left })
            .then(PointerAction::Up { button: left })
            .then(PointerAction::Down { button: left })
            .then(PointerAction::Up { button: left });
        self.client
            .perform_actions(clicks)
            .await
            .with_context(|| format!("double-click {css}"))
    }

    /// Text of the first element that fits.
    pub async fn text(&self, css: &str) -> anyhow::Result<String> {
        let element = self
            .client
            .wait()
            .at_most(ELEMENT_LIMIT)
            .for_element(Locator::Css(css))
            .await
            .with_context(|| format!("find {css}"))?;
        element.text().await.with_context(|| format!("read {css}"))
    }

    /// Checks that the first element that fits says all of these; gives its text.
    pub async fn says(&self, css: &str, parts: &[&str]) -> anyhow::Result<String> {
        let text = self.text(css).await?;
        for part in parts {
            ensure!(text.contains(part), "{css} lacks `{part}`: {text}");
        }
        Ok(text)
    }

    /// An attribute of the first element that fits.
    pub async fn attribute(&self, css: &str, name: &str) -> anyhow::Result<String> {
        let element = self.client.find(Locator::Css(css)).await;
        let element = element.with_context(|| format!("find {css}"))?;
        let value = element.attr(name).await;
        value
            .with_context(|| format!("read {css}"))?
            .with_context(|| format!("{css} has no {name}"))
    }

    /// A live property of the first element that fits, such as the text in a field.
    pub async fn property(&self, css: &str, name: &str) -> anyhow::Result<String> {
        let element = self.client.find(Locator::Css(css)).await;
        let element = element.with_context(|| format!("find {css}"))?;
        let value = element.prop(name).await;
        value
            .with_context(|| format!("read {css}"))?
            .with_context(|| format!("{css} has no {name}"))
    }

    /// How many elements fit.
    pub async fn count(&self, css: &str) -> anyhow::Result<usize> {
        let elements = self.client.find_all(Locator::Css(css)).await;
        Ok(elements.with_context(|| format!("count {css}"))?.len())
    }

    /// Checks that the page refuses the field `name`: in words beside it, and by a link in the summary on top
    /// that says the same.
    pub async fn is_refused(&self, name: &str) -> anyhow::Result<()> {
        let link = format!("#error-summary a[href='#{name}']");
        let summary = self.text(&link).await?;
        let beside = self.text(&format!("#{name}-error")).await?;
        let said = beside.trim_start_matches("Error:").trim();
        ensure!(!said.is_empty(), "there are no words beside {name}");
        ensure!(
            summary == said,
            "beside the field stands `{beside}`, in the summary `{summary}`"
        );
        Ok(())
    }

    /// Presses the Tab key.
    pub async fn tab(&self) -> anyhow::Result<()> {
        let key = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: TAB })
            .then(KeyAction::Up { value: TAB });
        let pressed = self.client.perform_actions(key).await;
        pressed.context("press Tab")
    }

    /// Runs a script in the page; gives what it returns.
    pub async fn run(&self, script: &str, arguments: &[&str]) -> anyhow::Result<Value> {
        let arguments = arguments.iter().map(|text| json!(text)).collect();
        let answer = self.client.execute(script, arguments).await;
        answer.context("run a script in the page")
    }

    /// How much of the page one has to scroll sideways for.
    pub async fn pixels_beside_the_window(&self) -> anyhow::Result<i64> {
        let script =
            "const page = document.documentElement; return page.scrollWidth - page.clientWidth;";
        let pixels = self.client.execute(script, Vec::new()).await;
        let pixels = pixels.context("measure the page")?;
        pixels.as_i64().context("a width is a number")
    }

    /// Keeps a picture of the page under this name, if pictures are wanted.
    pub async fn picture(&self, name: &str) -> anyhow::Result<()> {
        let Some(folder) = &self.screenshots else {
            return Ok(());
        };
        let file = folder.join(format!("{name}.png"));
        let bytes = self.client.screenshot().await.context("take a picture")?;
        fs::write(&file, bytes).with_context(|| format!("write {}", file.display()))
    }

    /// Changes the window's size, in CSS pixels.
    pub async fn resize(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let resized = self.client.set_window_size(width, height).await;
        resized.context("resize the window")
    }

    async fn press(&self, css: &str) -> anyhow::Result<()> {
        let element = self
            .client
            .wait()
            .at_most(ELEMENT_LIMIT)
            .for_element(Locator::Css(css))
            .await
            .with_context(|| format!("find {css}"))?;
        element
            .click()
            .await
            .with_context(|| format!("press {css}"))
    }
}

/// The port that ChromeDriver says it listens on.
fn port_in(log: &str) -> Option<u16> {
    let after = log.split("started successfully on port ").nth(1)?;
    after.trim_start().split('.').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_drivers_port_is_read_from_its_log() {
        let log = "Starting ChromeDriver 156.0 on port 0\nChromeDriver was started successfully on port 40123.\n";
        assert_eq!(port_in(log), Some(40123));
        assert_eq!(port_in("Starting ChromeDriver"), None);
    }
}
