//! The page at `/`: the same as in the terminal, for a browser. No scripts, nothing loaded from elsewhere.

use super::Welcome;

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --ground: #fcfcfa; --soft: #59636e; --box: #f0f0ec; --line: #d5d5cf; --link: #0b5cad }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e3; --ground: #16181b; --soft: #a0a8b0; --box: #212428; --line: #363b41; --link: #7db8f5 } }
* { box-sizing: border-box }
body { margin: 0 auto; padding: 2rem 1rem 4rem; max-width: 46rem; font: 1rem/1.55 system-ui, sans-serif;
  color: var(--ink); background: var(--ground) }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .25rem } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem }
  h3 { font-size: 1rem; margin: 1rem 0 .25rem }
p { margin: .5rem 0 } .soft { color: var(--soft) } a { color: var(--link) }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1rem; margin: 1rem 0 }
dt { color: var(--soft) } dd { margin: 0; overflow-wrap: anywhere }
code, pre { font: .9rem/1.5 ui-monospace, monospace }
pre { margin: .25rem 0 1rem; padding: .75rem 1rem; background: var(--box); border: 1px solid var(--line);
  border-radius: .4rem; white-space: pre-wrap; overflow-wrap: anywhere }
pre:focus-visible, a:focus-visible { outline: 3px solid var(--link); outline-offset: 2px }
@media (max-width: 30rem) { dl { grid-template-columns: 1fr } dd { margin-bottom: .5rem } }
";

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The page.
pub(super) fn html(welcome: &Welcome) -> String {
    let lines: String = welcome
        .lines()
        .iter()
        .map(|(what, line)| {
            let (what, line) = (escaped(what), escaped(line));
            format!("<h3 class=\"soft\">{what}</h3>\n<pre tabindex=\"0\" aria-label=\"{what}\"><code>{line}</code></pre>\n")
        })
        .collect();
    let (url, key, id) =
        (escaped(&welcome.base_url()), escaped(&welcome.api_key), escaped(&welcome.client_id));
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<title>Countersign, dev mode</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>Countersign</h1>
<p class=\"soft\">Dev mode: a test double with real codes. Nothing here leaves this machine.</p>
<dl>
<dt>Base URL</dt><dd><code>{url}</code></dd>
<dt>API key</dt><dd><code>{key}</code> <span class=\"soft\">(<code>sk_test_default</code> works too)</span></dd>
<dt>Client id</dt><dd><code>{id}</code></dd>
</dl>
<h2>Enroll a first factor</h2>
{lines}<h2>Help for tests</h2>
<dl>
<dt><code>GET /countersign/dev/messages</code></dt><dd>Text messages that were “sent”, newest first.</dd>
<dt><code>POST /countersign/dev/clock</code></dt><dd>Move or freeze the server's time.</dd>
<dt><code>POST /countersign/dev/failures</code></dt><dd>Let the next messages fail.</dd>
<dt><code>POST /countersign/dev/reset</code></dt><dd>Start over with an empty environment.</dd>
</dl>
<p><a href=\"/docs\">Reference</a> · <a href=\"/openapi.json\">OpenAPI document</a></p>
</main>
</body>
</html>
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_write_into_the_page() {
        let address = "127.0.0.1:1".parse().unwrap();
        let api_key = "sk_test_<script>\"&".to_owned();
        let html = html(&Welcome { address, api_key, client_id: "client_a".into() });
        assert!(html.contains("sk_test_&lt;script&gt;&quot;&amp;") && !html.contains("<script"));
    }
}
