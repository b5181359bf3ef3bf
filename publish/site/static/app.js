// What every page has: data files that hand themselves over, and the switch between day and night.
"use strict";
var precipitate = {
  got: Object.create(null),
  waiting: Object.create(null),
  put: function (name, value) {
    precipitate.got[name] = value;
    (precipitate.waiting[name] || []).forEach(function (tell) { tell(value); });
    delete precipitate.waiting[name];
  },
  // A script is the one thing that a page opened from a folder may load.
  load: function (name, tell) {
    if (name in precipitate.got) { tell(precipitate.got[name]); return; }
    if (precipitate.waiting[name]) { precipitate.waiting[name].push(tell); return; }
    precipitate.waiting[name] = [tell];
    var script = document.createElement("script");
    script.src = "data/" + name + ".js";
    script.onerror = function () { precipitate.put(name, null); };
    document.head.appendChild(script);
  },
};
(function () {
  var root = document.documentElement, button = null;
  function kept() { try { return localStorage.getItem("theme"); } catch (_) { return null; } }
  function keep(theme) { try { localStorage.setItem("theme", theme); } catch (_) { /* a folder or private window */ } }
  function dark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  }
  function show() { button.textContent = dark() ? "Light" : "Dark"; }
  if (kept() === "dark" || kept() === "light") root.dataset.theme = kept();
  document.addEventListener("DOMContentLoaded", function () {
    button = document.getElementById("theme");
    button.hidden = false;
    show();
    button.addEventListener("click", function () {
      root.dataset.theme = dark() ? "light" : "dark";
      keep(root.dataset.theme);
      show();
      document.dispatchEvent(new Event("theme"));
    });
  });
})();
