"""Checks every relative href and src below a folder, and every #fragment against the ids of its page."""

import json
import os
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

with open(os.environ["FLWD_ARGS_FILE"], encoding="utf-8") as file:
    args = json.load(file)
root = Path(args["folder"])


class Page(HTMLParser):
    def __init__(self, path):
        super().__init__()
        self.ids, self.links = set(), []
        self.feed(path.read_text(encoding="utf-8", errors="replace"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value:
                self.links.append((value, self.getpos()[0]))


pages = {path: Page(path) for path in sorted(root.rglob("*.html"))}
print(f"Checking {len(pages)} pages")
broken, external, checked = [], 0, 0

for path, page in pages.items():
    for link, line in page.links:
        url = urlsplit(link)
        if url.scheme or url.netloc:
            external += 1
            continue
        checked += 1
        base = root if url.path.startswith("/") else path.parent
        target = Path(os.path.normpath(base / unquote(url.path).lstrip("/"))) if url.path else path
        if target.is_dir():
            target /= "index.html"
        if not target.exists():
            reason = "no such file"
        elif url.fragment and target in pages and url.fragment not in pages[target].ids:
            reason = f"no element with id '{url.fragment}'"
        else:
            continue
        place = f"{path.relative_to(root)}:{line}"
        broken.append({"page": place, "link": link, "reason": reason})
        print(json.dumps({"level": "warn", "message": f"{place}: {link}: {reason}"}))

summary = {"pages": len(pages), "links": checked, "external": external, "broken": broken}
Path(os.environ["FLWD_ARTIFACTS_DIR"], "links.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
Path(os.environ["FLWD_RESULT_FILE"]).write_text(json.dumps(summary), encoding="utf-8")
print(f"{checked} links, {len(broken)} of them broken")
sys.exit(1 if broken and args["fail_on_broken"] else 0)
