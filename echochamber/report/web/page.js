"use strict";
// Navigation, colour scheme and links into the page.
(() => {
  const root = document.documentElement;
  const remembered = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  if (remembered) root.dataset.theme = remembered;

  const theme = document.getElementById("theme");
  const name = () => { theme.textContent = dark() ? "Light colours" : "Dark colours"; };
  theme.hidden = false;
  name();
  theme.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* some browsers keep nothing of files */ }
    name();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", name);

  const menu = document.getElementById("menu");
  const open = (yes) => menu.setAttribute("aria-expanded", String(yes));
  menu.addEventListener("click", () => open(menu.getAttribute("aria-expanded") !== "true"));

  const links = [...document.querySelectorAll("#side li a[href^='#']")];
  const targets = new Map(links.map((link) => [document.getElementById(link.hash.slice(1)), link]));
  for (const link of links) link.addEventListener("click", () => open(false));
  const mark = () => {
    let now = null;
    for (const [target, link] of targets) if (target && target.getBoundingClientRect().top < innerHeight / 3) now = link;
    for (const link of links) link === now ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  };
  let waiting = false;
  addEventListener("scroll", () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; mark(); });
  }, { passive: true });
  mark();

  // A link may lead into something that is folded up.
  const unfold = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)).split("?")[0]);
    for (let e = target; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
