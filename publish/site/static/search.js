// Adds up weights that were worked out when the site was made; loads only the words that are asked for.
"use strict";
(function () {
  var BLOCK = 500, SHOWN = 30, common = [];
  function stem(word) {
    if (word.endsWith("sses")) return word.slice(0, -2);
    return word.length > 3 && word.endsWith("s") && !word.endsWith("ss") ? word.slice(0, -1) : word;
  }
  function words(text) { return (text.slice(0, 2000).toLowerCase().match(/[\p{L}\p{N}]+/gu) || []).slice(0, 40); }
  function shard(word) { return "words-" + Array.from(word).slice(0, 2).map(function (c) { return c.codePointAt(0).toString(16); }).join("-"); }
  function known(word) { return Object.prototype.hasOwnProperty.call(precipitate.got[shard(word)] || {}, word); }
  function add(scores, postings, share) {
    for (var i = 0; i < postings.length; i += 2) scores.set(postings[i], (scores.get(postings[i]) || 0) + postings[i + 1] * share);
  }
  function telling(word) { return common.indexOf(stem(word)) < 0; }
  // The last word may be unfinished: words that begin with it count half.
  function gather(asked, done) {
    var scores = new Map(), left = asked.length;
    if (!left) { done(scores); return; }
    asked.forEach(function (word, place) {
      precipitate.load(shard(stem(word)), function (found) {
        var exact = known(stem(word)) ? found[stem(word)] : null;
        if (exact) add(scores, exact, 1);
        else if (found && place === asked.length - 1 && word.length > 2) {
          Object.keys(found).filter(function (other) { return other.startsWith(word); }).slice(0, 20)
            .forEach(function (other) { add(scores, found[other], 0.5); });
        }
        if (--left === 0) done(scores);
      });
    });
  }
  function show(asked, ranked, total) {
    var stems = asked.map(stem).filter(known), list = document.getElementById("hits"), said = document.getElementById("said");
    list.replaceChildren();
    said.textContent = !asked.length ? (document.getElementById("q").value.trim() && "Ask for something with a word of its own.") : total ? total.toLocaleString() + (total === 1 ? " SOP" : " SOPs") : "Nothing has these words.";
    var blocks = Array.from(new Set(ranked.map(function (hit) { return Math.floor(hit[0] / BLOCK); }))), left = blocks.length;
    blocks.forEach(function (block) {
      precipitate.load("sops-" + block, function () { if (--left === 0) fill(list, ranked, stems); });
    });
  }
  // The words that were asked for stand out; what a text holds stays text.
  function marked(into, text, asked) {
    text.split(/([\p{L}\p{N}]+)/u).forEach(function (part, place) {
      if (place % 2 && asked.indexOf(stem(part.toLowerCase())) >= 0) {
        var bold = document.createElement("b");
        bold.textContent = part;
        into.append(bold);
      } else into.append(part);
    });
  }
  function fill(list, ranked, asked) {
    list.replaceChildren.apply(list, ranked.map(function (hit) {
      var row = (precipitate.got["sops-" + Math.floor(hit[0] / BLOCK)] || [])[hit[0] % BLOCK];
      var item = document.createElement("li");
      if (!row) return item;
      var link = document.createElement("a"), first = document.createElement("p"), facts = document.createElement("p");
      link.href = "sops/" + encodeURIComponent(row[0]) + ".html";
      marked(link, row[1], asked);
      marked(first, row[4], asked);
      facts.className = "facts";
      facts.textContent = row[2] + " steps · " + row[3] + (row[3] === 1 ? " author" : " authors");
      item.append(link, first, facts);
      return item;
    }));
  }
  var turn = 0;
  function search(text) {
    var asked = words(text).filter(telling), mine = ++turn;
    gather(asked, function (scores) {
      if (mine !== turn) return;
      var all = Array.from(scores.entries()).sort(function (a, b) { return b[1] - a[1] || a[0] - b[0]; });
      show(asked, all.slice(0, SHOWN), all.length);
    });
  }
  document.addEventListener("DOMContentLoaded", function () {
    var input = document.getElementById("q"), wait = 0;
    common = input.form.dataset.common.split(" ");
    input.value = new URLSearchParams(location.search).get("q") || "";
    input.addEventListener("input", function () { clearTimeout(wait); wait = setTimeout(function () { search(input.value); }, 120); });
    input.form.addEventListener("submit", function (event) { event.preventDefault(); search(input.value); });
    search(input.value);
  });
})();
