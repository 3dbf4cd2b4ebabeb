"use strict";
document.querySelectorAll("table.sortable").forEach(function (table) {
  var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
  heads.forEach(function (head, place) {
    head.querySelector("button").addEventListener("click", function () {
      var now = head.getAttribute("aria-sort");
      var up = now === "descending" || (now === "none" && !head.classList.contains("number"));
      heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      var body = table.tBodies[0];
      var rows = Array.prototype.slice.call(body.rows);
      rows.sort(function (one, two) {
        var a = one.cells[place].getAttribute("data-order");
        var b = two.cells[place].getAttribute("data-order");
        var order = isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b;
        return up ? order : -order;
      });
      rows.forEach(function (row) { body.appendChild(row); });
    });
  });
});
