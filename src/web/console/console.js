// Keys, and pages that change without a flicker. Everything here is also a link or a form: without this script
// nothing is missing but the keys.
"use strict";

(() => {
  const main = () => document.querySelector("main");
  const items = () => Array.from(document.querySelectorAll("[data-item]"));
  const isDesk = () => document.querySelector("[data-desk]") !== null;
  const pageOf = (path) => path.split("/")[1];

  const say = (text) => {
    const notice = document.querySelector("[data-say]");
    if (notice) notice.textContent = text;
  };

  // -- times in the viewer's own zone --------------------------------------------------------------------------
  const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      if (time.dataset.title === undefined) time.dataset.title = time.title;
      time.title = time.dataset.title + "\n" + zone.format(moment) + " here";
    }
  };

  // -- one thing after the other -------------------------------------------------------------------------------
  // While a request is under way, keys wait: whatever they do, they do to the page that it brings.
  const PATIENCE_MS = 60_000;
  const MAX_WAITING = 200;
  let under = null; // what is under way: "peek" (may be given up for another), "page", or "leaving"
  let peeking = null;
  const waiting = [];
  const set = (what) => {
    under = what;
    document.documentElement.toggleAttribute("data-busy", under !== null || waiting.length > 0);
  };
  const later = (act) => {
    if (under === "leaving" || waiting.length >= MAX_WAITING) return;
    waiting.push(act);
    set(under);
  };
  const goOn = () => {
    while (under === null && waiting.length > 0) waiting.shift()();
    set(under);
  };
  const leave = () => {
    keepDraft();
    waiting.length = 0;
    set("leaving");
  };
  window.addEventListener("pageshow", (event) => { if (event.persisted) set(null); });

  const load = async (url, options, signals) => {
    const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), ...signals]);
    const answer = await fetch(url, { ...options, signal, headers: { accept: "text/html" } });
    return [answer, new DOMParser().parseFromString(await answer.text(), "text/html")];
  };
  // An answer that something broke changes nothing here: whoever sees it presses again.
  const broke = (answer, page) => {
    if (answer.status < 500) return false;
    const words = page.querySelector("main p:not(.brand)");
    say(words ? words.textContent : "Something went wrong. Try again.");
    waiting.length = 0;
    return true;
  };
  const failed = (error, wrote) => {
    const what = error.name === "TimeoutError" ? "The server does not answer." : "The server cannot be reached.";
    say(what + (wrote ? " Reload the page to see whether the change was made." : " Nothing was changed; try again."));
    waiting.length = 0;
  };

  // What was written and not sent yet, by reward: it is there again when somebody comes back to it.
  const DRAFT = "draft of ";
  const drafts = {
    // A browser may forbid to keep anything: then nothing is.
    get: (key) => { try { return sessionStorage.getItem(DRAFT + key); } catch { return null; } },
    set: (key, text) => { try { sessionStorage.setItem(DRAFT + key, text); } catch { /* not kept */ } },
    delete: (key) => { try { sessionStorage.removeItem(DRAFT + key); } catch { /* not kept */ } },
    clear: () => { try { sessionStorage.clear(); } catch { /* not kept */ } },
  };
  const draftOf = () => {
    const form = document.getElementById("decide");
    return form && { key: form.elements.id.value, field: form.elements.note };
  };
  const keepDraft = () => {
    const draft = draftOf();
    if (draft) draft.field.value ? drafts.set(draft.key, draft.field.value) : drafts.delete(draft.key);
  };
  const findDraft = () => {
    const draft = draftOf();
    if (draft && !draft.field.value) draft.field.value = drafts.get(draft.key) || "";
  };

  // The whole page.
  const show = async (url, options, push) => {
    if (under === "leaving") return;
    if (under !== null) { later(() => show(url, options, push)); return; }
    const wrote = options.method === "POST";
    set("page");
    let answer, page;
    try {
      [answer, page] = await load(url, options, []);
    } catch (error) {
      failed(error, wrote);
      set(null);
      return;
    }
    if (broke(answer, page)) { set(null); return; }
    const next = page.querySelector("main");
    const stays = wrote && !answer.redirected;
    if (!next || (!stays && pageOf(new URL(answer.url).pathname) !== pageOf(location.pathname))) {
      leave();
      if (stays) location.reload(); else location.assign(answer.url);
      return;
    }
    keepDraft();
    const selected = new Set(Array.from(document.querySelectorAll("input[name=id]:checked"), (box) => box.value));
    const keep = document.querySelector(".queue") ? window.scrollY : 0;
    if (page.querySelector(".side")) {
      main().replaceWith(next);
      const [oldNav, newNav] = [document.querySelector(".side nav"), page.querySelector(".side nav")];
      if (oldNav && newNav) oldNav.replaceWith(newNav);
    } else {
      // A page that stands alone: the session is over.
      document.body.replaceWith(page.body);
    }
    document.title = page.title;
    if (push && !stays) history.pushState(null, "", answer.url);
    for (const box of document.querySelectorAll("input[name=id]")) box.checked = box.checked || selected.has(box.value);
    window.scrollTo(0, keep);
    arrive(false);
    set(null);
    goOn();
  };

  // What is open beside the list; the list stays as it is, with what is selected in it.
  let opened = null; // the row that the pane belongs to
  const reopen = () => {
    if (!opened || !opened.isConnected) return;
    here(opened, false);
    opened.querySelector("a[data-open]").focus({ preventScroll: true });
  };
  const peek = async (item) => {
    if (peeking) peeking.abort();
    const own = new AbortController();
    peeking = own;
    set("peek");
    const url = item.dataset.peek;
    let answer, page;
    try {
      [answer, page] = await load(url, {}, [own.signal]);
    } catch (error) {
      if (peeking !== own) return;
      peeking = null;
      failed(error, false);
      reopen();
      set(null);
      return;
    }
    if (peeking !== own) return;
    peeking = null;
    if (broke(answer, page)) { reopen(); set(null); return; }
    set(null);
    opened = item;
    const [old, pane] = [document.querySelector("[data-pane]"), page.querySelector("[data-pane]")];
    if (!old || !pane || answer.redirected) {
      waiting.length = 0;
      show(url, {}, true);
      return;
    }
    keepDraft();
    old.replaceWith(pane);
    document.querySelectorAll("[data-done]").forEach((notice) => notice.remove());
    document.querySelectorAll("[data-desk]").forEach((desk) => desk.classList.add("opened"));
    say("");
    history.replaceState(null, "", answer.url);
    localTimes(pane);
    findDraft();
    goOn();
  };

  const linkOf = (target) => {
    const link = target.closest("a[href]");
    const ours = link && link.origin === location.origin && pageOf(link.pathname) === pageOf(location.pathname);
    return ours && isDesk() && !link.getAttribute("href").startsWith("#") ? link : null;
  };
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    const link = linkOf(event.target);
    const item = event.target.closest("[data-item]");
    if (link) event.preventDefault();
    const isBeside = item && !isNarrow() && (!link || link.href === new URL(item.dataset.peek, location.href).href);
    if (isBeside && (under === null || under === "peek")) here(item, true);
    else if (link) show(link.href, {}, true);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    if (under === "leaving") { event.preventDefault(); return; }
    // Attributes: a field may be called "action" or "method", and hide the form's own.
    const own = (name, fallback) => (button && button.getAttribute("form" + name)) || form.getAttribute(name) || fallback;
    // A button may have an address of its own.
    const to = new URL(own("action", location.href), location.href);
    if (to.pathname === "/logout") drafts.clear();
    if (!isDesk() || form.dataset.whole !== undefined) { leave(); return; }
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, button));
    if (under === "page") return;
    if (own("method", "get").toLowerCase() === "post") show(to.href, { method: "POST", body: fields }, true);
    else show(to.pathname + "?" + fields, {}, true);
  });
  window.addEventListener("popstate", () => (isDesk() ? show(location.href, {}, false) : location.reload()));

  // -- the cursor is the focus ---------------------------------------------------------------------------------
  const isNarrow = () => window.matchMedia("(max-width: 900px)").matches;
  const current = () => document.querySelector("[data-item][aria-current]");
  const here = (item, open) => {
    const was = current();
    if (item === was) return;
    if (was) was.removeAttribute("aria-current");
    item.setAttribute("aria-current", "true");
    if (open && item.dataset.peek && document.querySelector("[data-pane]")) peek(item);
  };
  let pointing = false;
  document.addEventListener("pointerdown", () => { pointing = true; }, true);
  document.addEventListener("pointerup", () => { pointing = false; }, true);
  document.addEventListener("pointercancel", () => { pointing = false; }, true);
  document.addEventListener("focusin", (event) => {
    const item = event.target.closest("[data-item]");
    // A click opens by itself, once it is one.
    if (item && !pointing && (under === null || under === "peek")) here(item, true);
  });
  const move = (by) => {
    const all = items();
    if (all.length === 0) return;
    const focused = document.activeElement.closest("[data-item]");
    const index = all.indexOf(focused || current());
    const item = all[Math.max(0, Math.min(index + by, all.length - 1))];
    const link = item.querySelector("a[data-open]");
    link.focus({ preventScroll: true });
    item.scrollIntoView({ block: "nearest" });
  };
  const open = () => {
    const item = document.activeElement.closest("[data-item]") || current() || items()[0];
    const link = item && item.querySelector("a[data-open]");
    if (link) link.click();
  };
  const press = (selector) => {
    const button = document.querySelector(selector);
    if (button) button.click();
  };

  // -- what is selected ----------------------------------------------------------------------------------------
  const sum = () => {
    const out = document.querySelector("[data-selected]");
    if (!out) return;
    const checked = Array.from(document.querySelectorAll("input[name=id]:checked"));
    const micros = checked.reduce((total, box) => total + BigInt(box.dataset.payout || 0), 0n);
    // Two decimals, and more only where they say something: as the server writes it.
    const fraction = String(micros % 1000000n).padStart(6, "0").replace(/0{1,4}$/, "");
    const usd = "$" + (micros / 1000000n).toLocaleString("en-US") + "." + fraction;
    out.textContent = checked.length === 0 ? "" : `${checked.length} selected · ${usd}`;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of document.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
    }
    sum();
  });
  const select = () => {
    const item = document.activeElement.closest("[data-item]") || current();
    const box = item && item.querySelector("input[type=checkbox]");
    if (box) { box.checked = !box.checked; sum(); }
  };

  const help = () => {
    const dialog = document.querySelector("dialog[data-help]");
    if (!dialog) return;
    if (dialog.open) dialog.close();
    else dialog.showModal();
  };
  const search = () => {
    const field = document.querySelector("[data-search]");
    if (field) { field.focus(); field.select(); }
  };

  const keys = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    x: select,
    " ": open,
    Enter: open,
    a: () => press("[data-key=a]"),
    r: () => press("[data-key=r]"),
    s: () => press("[data-key=s]"),
    z: () => press("[data-key=z]"),
    u: () => press("[data-key=u]"),
    n: () => press("[data-key=n]"),
    "/": search,
    "?": help,
  };
  const MOVES = ["j", "k", "ArrowDown", "ArrowUp"];
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const field = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") { if (field) field.blur(); return; }
    if (field) return;
    // A button or box that has the focus is pressed by the browser itself, and so is a link, but for the space bar.
    if (event.key === "Enter" && event.target.closest("a, button, summary, input")) return;
    if (event.key === " " && event.target.closest("button, summary, input")) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    // A key that is held down moves on, but decides once.
    if (event.repeat && !MOVES.includes(event.key)) return;
    // Whoever goes on past a reward does not wait for it.
    const goesPast = under === "peek" && waiting.length === 0 && MOVES.includes(event.key);
    if ((under === null && waiting.length === 0) || goesPast) act();
    else later(act);
  });

  // -- what is new, announced but never pushed in ----------------------------------------------------------------
  let watching = null;
  const watch = () => {
    clearInterval(watching);
    const link = document.querySelector("[data-new]");
    if (!link) return;
    watching = setInterval(async () => {
      if (document.hidden) return;
      try {
        const answer = await fetch(link.dataset.new);
        if (!answer.ok) return;
        const { rewards } = await answer.json();
        link.hidden = rewards === 0;
        link.querySelector("b").textContent = rewards;
      } catch { /* the next look may succeed */ }
    }, 5000);
  };

  // -- work that goes on: looked at again until it is done -------------------------------------------------------
  let again = null;
  const lookAgain = () => {
    clearTimeout(again);
    const link = document.querySelector("[data-again]");
    if (link) again = setTimeout(() => show(link.href, {}, false), 1000);
  };

  let counting = null;
  const countDown = () => {
    clearInterval(counting);
    const left = document.querySelector("[data-left-ms]");
    if (!left) return;
    const end = Date.now() + Number(left.dataset.leftMs);
    const tick = () => {
      const seconds = Math.ceil((end - Date.now()) / 1000);
      left.textContent = seconds > 0 ? seconds + " s" : "";
      if (seconds <= 0) {
        clearInterval(counting);
        const button = document.querySelector("[data-key=z]");
        if (button) button.remove();
      }
    };
    tick();
    counting = setInterval(tick, 250);
  };

  // -- copying ------------------------------------------------------------------------------------------------------
  const offerCopies = () => {
    if (!navigator.clipboard) return;
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const text = document.getElementById(button.dataset.copy).textContent;
    try { await navigator.clipboard.writeText(text.trim()); button.textContent = "Copied"; }
    catch { button.textContent = "Not allowed: select the text and copy it"; }
  });

  // -- on paper nothing is folded ----------------------------------------------------------------------------------
  window.addEventListener("beforeprint", () => {
    for (const folded of document.querySelectorAll("details:not([open])")) { folded.open = true; folded.dataset.folded = ""; }
  });
  window.addEventListener("afterprint", () => {
    for (const folded of document.querySelectorAll("details[data-folded]")) { folded.open = false; delete folded.dataset.folded; }
  });

  const arrive = (first) => {
    localTimes(document);
    findDraft();
    sum();
    watch();
    lookAgain();
    countDown();
    offerCopies();
    const wanted = document.querySelector("[autofocus]");
    if (wanted) { if (!first) wanted.focus(); return; }
    const item = current() || items()[0];
    if (item && isDesk()) {
      here(item, false);
      opened = item;
      item.querySelector("a[data-open]").focus({ preventScroll: true });
      if (isNarrow() && document.querySelector("[data-desk].opened")) document.querySelector("[data-pane]").scrollIntoView();
      else if (!first) item.scrollIntoView({ block: "nearest" });
    } else if (!first) main().focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => { if (event.target.closest("[data-help-open], [data-help-close]")) { event.preventDefault(); help(); } });
  arrive(true);
})();
