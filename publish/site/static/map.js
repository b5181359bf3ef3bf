// All SOPs as points on a canvas; near goals stand near. Drag, scroll, pinch, arrow keys; a click reads the SOP.
"use strict";
(function () {
  var SIZE = 4096, CELL = 64;
  function start() {
    var data = precipitate.got.map, canvas = document.getElementById("map"), tip = document.getElementById("tip");
    if (!data || !canvas) return;
    var pen = canvas.getContext("2d"), count = data.ids.length, cells = new Map(), view = null, hover = -1, frame = 0, wide = 1, high = 1, ratio = 1, stretch = 1; // stretch: what stands side by side may stand wider apart
    for (var i = 0; i < count; i++) {
      var key = (data.x[i] / CELL | 0) * 1000 + (data.y[i] / CELL | 0);
      if (cells.has(key)) cells.get(key).push(i); else cells.set(key, [i]);
    }
    var labels = middles();
    function middles() {
      var sums = new Map();
      for (var i = 0; i < count; i++) if (data.topic[i] >= 0) {
        var s = sums.get(data.topic[i]) || [0, 0, 0];
        s[0] += data.x[i]; s[1] += data.y[i]; s[2] += 1; sums.set(data.topic[i], s);
      }
      return Array.from(sums, function (e) { return { name: data.names[e[0]] || "", x: e[1][0] / e[1][2], y: e[1][1] / e[1][2], n: e[1][2] }; })
        .sort(function (a, b) { return b.n - a.n; });
    }
    function whole() {
      view = { scale: high / SIZE, x: 0, y: 0 };
      stretch = wide / high;
    }
    function size() {
      ratio = window.devicePixelRatio || 1;
      wide = canvas.clientWidth; high = canvas.clientHeight;
      canvas.width = Math.round(wide * ratio); canvas.height = Math.round(high * ratio);
      if (!view) whole();
      later();
    }
    function later() { if (!frame) frame = requestAnimationFrame(draw); }
    function color(topic, night) { return topic < 0 ? (night ? "#7d8789" : "#8c9497") : "hsl(" + (topic * 137.5) % 360 + (night ? " 52% 66%)" : " 52% 40%)"); }
    function draw() {
      frame = 0;
      var style = getComputedStyle(document.documentElement), ink = style.getPropertyValue("--ink"), card = style.getPropertyValue("--card");
      var night = getComputedStyle(document.body).backgroundColor.match(/\d+/g)[0] < 128;
      pen.setTransform(ratio, 0, 0, ratio, 0, 0);
      pen.clearRect(0, 0, wide, high);
      var radius = Math.max(count > 4000 ? 1.6 : 3, Math.min(8, 2.6 * Math.sqrt(view.scale * 6)));
      for (var i = 0; i < count; i++) {
        var x = data.x[i] * view.scale * stretch + view.x, y = data.y[i] * view.scale + view.y;
        if (x < -9 || y < -9 || x > wide + 9 || y > high + 9) continue;
        pen.fillStyle = color(data.topic[i], night);
        pen.beginPath(); pen.arc(x, y, i === hover ? radius + 3 : radius, 0, 7); pen.fill();
      }
      var taken = [];
      pen.font = "600 13px system-ui, sans-serif"; pen.textAlign = "center";
      labels.forEach(function (label) {
        var x = label.x * view.scale * stretch + view.x, y = label.y * view.scale + view.y - 12, half = pen.measureText(label.name).width / 2;
        if (!label.name || x < 0 || y < 0 || x > wide || y > high || taken.length > 40) return;
        x = Math.max(half + 6, Math.min(wide - half - 6, x));
        if (taken.some(function (t) { return Math.abs(t[0] - x) < t[2] + half + 8 && Math.abs(t[1] - y) < 20; })) return;
        taken.push([x, y, half]);
        pen.lineWidth = 4; pen.strokeStyle = card; pen.strokeText(label.name, x, y);
        pen.fillStyle = ink; pen.fillText(label.name, x, y);
      });
    }
    function at(x, y) {
      var mx = (x - view.x) / (view.scale * stretch), my = (y - view.y) / view.scale, reach = 14 / view.scale, best = -1, least = reach * reach;
      var around = Math.min(16, Math.ceil(reach / Math.min(1, stretch) / CELL));
      for (var cx = (mx / CELL | 0) - around; cx <= (mx / CELL | 0) + around; cx++)
        for (var cy = (my / CELL | 0) - around; cy <= (my / CELL | 0) + around; cy++)
          (cells.get(cx * 1000 + cy) || []).forEach(function (i) {
            var d = (data.x[i] - mx) * (data.x[i] - mx) * stretch * stretch + (data.y[i] - my) * (data.y[i] - my);
            if (d < least) { least = d; best = i; }
          });
      return best;
    }
    function zoom(by, x, y) {
      var scale = Math.max(0.02, Math.min(8, view.scale * by));
      view.x = x - (x - view.x) * scale / view.scale; view.y = y - (y - view.y) * scale / view.scale; view.scale = scale;
      later();
    }
    function point(x, y) {
      hover = at(x, y);
      tip.hidden = hover < 0;
      if (hover >= 0) {
        tip.textContent = data.titles[hover] + " (" + data.steps[hover] + " steps)";
        tip.style.transform = "translate(" + Math.max(0, Math.min(wide - tip.offsetWidth, x + 12)) + "px," + Math.max(0, Math.min(high - tip.offsetHeight, y + 14)) + "px)";
      }
      canvas.style.cursor = hover < 0 ? "grab" : "pointer";
      later();
    }
    var fingers = new Map(), moved = 0, apart = 0;
    canvas.addEventListener("pointerdown", function (e) { canvas.setPointerCapture(e.pointerId); fingers.set(e.pointerId, [e.offsetX, e.offsetY]); moved = 0; apart = 0; });
    canvas.addEventListener("pointermove", function (e) {
      var was = fingers.get(e.pointerId);
      if (!was) { point(e.offsetX, e.offsetY); return; }
      fingers.set(e.pointerId, [e.offsetX, e.offsetY]);
      if (fingers.size === 1) { view.x += e.offsetX - was[0]; view.y += e.offsetY - was[1]; moved += Math.abs(e.offsetX - was[0]) + Math.abs(e.offsetY - was[1]); later(); return; }
      var two = Array.from(fingers.values()), far = Math.hypot(two[0][0] - two[1][0], two[0][1] - two[1][1]);
      if (apart) zoom(far / apart, (two[0][0] + two[1][0]) / 2, (two[0][1] + two[1][1]) / 2);
      apart = far; moved = 99;
    });
    canvas.addEventListener("pointerup", function (e) {
      fingers.delete(e.pointerId);
      if (moved < 5) { var hit = at(e.offsetX, e.offsetY); if (hit >= 0) location.href = "sops/" + encodeURIComponent(data.ids[hit]) + ".html"; }
    });
    canvas.addEventListener("pointercancel", function (e) { fingers.delete(e.pointerId); });
    canvas.addEventListener("pointerleave", function () { if (!fingers.size) { hover = -1; tip.hidden = true; later(); } });
    canvas.addEventListener("wheel", function (e) { e.preventDefault(); zoom(Math.exp(-e.deltaY / 400), e.offsetX, e.offsetY); }, { passive: false });
    canvas.addEventListener("keydown", function (e) {
      var step = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] }[e.key];
      if (step) { view.x += step[0]; view.y += step[1]; later(); e.preventDefault(); }
      if (e.key === "+" || e.key === "=") zoom(1.4, wide / 2, high / 2);
      if (e.key === "-") zoom(1 / 1.4, wide / 2, high / 2);
    });
    document.getElementById("nearer").addEventListener("click", function () { zoom(1.6, wide / 2, high / 2); });
    document.getElementById("farther").addEventListener("click", function () { zoom(1 / 1.6, wide / 2, high / 2); });
    document.getElementById("whole").addEventListener("click", function () { whole(); later(); });
    document.addEventListener("theme", later);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
    new ResizeObserver(size).observe(canvas);
    size();
    performance.mark("map-drawn");
  }
  document.addEventListener("DOMContentLoaded", function () { precipitate.load("map", start); });
})();
