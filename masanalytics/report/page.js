"use strict";
window.addEventListener("beforeprint", function () {
  document.querySelectorAll("details").forEach(function (folded) { folded.open = true; });
});
document.querySelectorAll("table.sortable").forEach(function (table) {
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  var words = new Intl.Collator(document.documentElement.lang, { numeric: true });
  heads.forEach(function (head, place) {
    var isNumber = head.classList.contains("number");
    head.querySelector("button").addEventListener("click", function () {
      var now = head.getAttribute("aria-sort");
      var up = now === "descending" || (now === "none" && !isNumber);
      heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      var body = table.tBodies[0];
      var rows = Array.prototype.slice.call(body.rows);
      rows.sort(function (one, two) {
        var a = one.cells[place].getAttribute("data-order");
        var b = two.cells[place].getAttribute("data-order");
        // What is missing comes last, whichever way the rest is sorted.
        if (a === "" || b === "") { return (a === "") - (b === ""); }
        var order = isNumber ? a - b : words.compare(a, b);
        return up ? order : -order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
});
