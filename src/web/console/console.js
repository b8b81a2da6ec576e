// Keys, and pages that change without a flicker. Everything here is also a link or a form: without this script
// nothing is missing but the keys.
"use strict";

(() => {
  const main = () => document.getElementById("main");
  const items = () => Array.from(document.querySelectorAll("[data-item]"));
  let here = 0;

  // -- times in the viewer's own zone --------------------------------------------------------------------------
  const zone = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const localTimes = (root) => {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const moment = new Date(time.dateTime);
      if (!Number.isNaN(moment.getTime())) time.title = zone.format(moment) + " here\n" + time.dateTime + " (UTC)";
    }
  };

  // -- one page after the other --------------------------------------------------------------------------------
  let loading = null;
  const show = async (url, options, push) => {
    if (loading) loading.abort();
    loading = new AbortController();
    let answer;
    try {
      answer = await fetch(url, { ...options, signal: loading.signal, headers: { accept: "text/html" } });
    } catch (error) {
      if (error.name === "AbortError") return;
      say("The server cannot be reached. Nothing was changed; try again.");
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const next = page.getElementById("main");
    if (!next || new URL(answer.url).pathname.split("/")[1] !== location.pathname.split("/")[1]) {
      location.assign(answer.url);
      return;
    }
    const keep = document.querySelector(".queue") ? window.scrollY : 0;
    main().replaceWith(next);
    document.title = page.title;
    const [oldNav, newNav] = [document.querySelector(".side nav"), page.querySelector(".side nav")];
    if (oldNav && newNav) oldNav.replaceWith(newNav);
    if (push) history.pushState(null, "", answer.url);
    window.scrollTo(0, keep);
    arrive(false);
  };
  const isDesk = () => document.querySelector("[data-desk]") !== null;

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href]");
    if (!link || event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey) return;
    if (!isDesk() || link.origin !== location.origin || !link.pathname.startsWith("/review")) return;
    event.preventDefault();
    show(link.href, {}, true);
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!isDesk() || form.dataset.whole !== undefined) return;
    event.preventDefault();
    const fields = new URLSearchParams(new FormData(form, event.submitter));
    if (form.method === "post") show(form.action, { method: "POST", body: fields }, true);
    else show(form.action + "?" + fields, {}, true);
  });
  window.addEventListener("popstate", () => (isDesk() ? show(location.href, {}, false) : location.reload()));

  // -- where the keyboard is -----------------------------------------------------------------------------------
  const mark = (index) => {
    const all = items();
    if (all.length === 0) return;
    here = Math.max(0, Math.min(index, all.length - 1));
    all.forEach((item, number) => item.classList.toggle("here", number === here));
    all[here].scrollIntoView({ block: "nearest" });
  };
  const move = (by) => {
    mark(here + by);
    const item = items()[here];
    const link = item && item.querySelector("a[data-open]");
    if (link && document.querySelector("[data-pane]")) show(link.href, {}, true);
  };
  const press = (selector) => {
    const button = document.querySelector(selector);
    if (button) button.click();
    return button !== null;
  };

  // -- what is selected ----------------------------------------------------------------------------------------
  const sum = () => {
    const out = document.querySelector("[data-selected]");
    if (!out) return;
    const checked = Array.from(document.querySelectorAll("input[name=id]:checked"));
    const micros = checked.reduce((total, box) => total + Number(box.dataset.payout || 0), 0);
    const usd = (micros / 1e6).toLocaleString("en-US", { style: "currency", currency: "USD" });
    out.textContent = checked.length === 0 ? "" : `${checked.length} selected · ${usd}`;
  };
  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-all]")) {
      for (const box of document.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
    }
    sum();
  });

  const say = (text) => {
    const notice = document.querySelector("[data-say]");
    if (notice) notice.textContent = text;
  };

  const help = () => {
    const dialog = document.querySelector("dialog[data-help]");
    if (!dialog) return;
    if (dialog.open) dialog.close();
    else dialog.showModal();
  };

  const keys = {
    j: () => move(1),
    ArrowDown: () => move(1),
    k: () => move(-1),
    ArrowUp: () => move(-1),
    x: () => {
      const box = items()[here] && items()[here].querySelector("input[type=checkbox]");
      if (box) { box.checked = !box.checked; sum(); }
    },
    " ": () => { const link = items()[here] && items()[here].querySelector("a[data-open]"); if (link) link.click(); },
    Enter: () => { const link = items()[here] && items()[here].querySelector("a[data-open]"); if (link) link.click(); },
    a: () => press("[data-key=a]"),
    r: () => press("[data-key=r]"),
    s: () => press("[data-key=s]"),
    z: () => press("[data-key=z]"),
    u: () => press("[data-key=u]"),
    n: () => press("[data-key=n]"),
    "/": () => { const field = document.querySelector("[data-search]"); if (field) { field.focus(); field.select(); } },
    "?": help,
  };
  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey) return;
    const field = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (event.key === "Escape") { if (field) field.blur(); return; }
    if (field) return;
    // A link or button that has the focus is pressed by the browser itself.
    if ((event.key === "Enter" || event.key === " ") && event.target.closest("a, button, summary, input")) return;
    if (document.querySelector("dialog[open]") && event.key !== "?") return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
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

  const arrive = (first) => {
    localTimes(document);
    const opened = items().findIndex((item) => item.hasAttribute("aria-current"));
    if (opened >= 0) mark(opened);
    else if (!first || isDesk()) mark(0);
    sum();
    watch();
    lookAgain();
    countDown();
    if (!first) main().focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => { if (event.target.closest("[data-help-open], [data-help-close]")) { event.preventDefault(); help(); } });
  arrive(true);
})();
