// Shows the value of the mark that the pointer is nearest to, or that the arrow keys have reached.
"use strict";
for (const plot of document.querySelectorAll(".plot")) {
  const value = plot.querySelector(".value");
  let shown = null;

  // Of the drawing that is on the screen: the other one has no boxes.
  const marks = () => [...plot.querySelectorAll("svg [aria-label]")].filter((mark) => mark.getClientRects().length);

  const show = (mark) => {
    if (shown) shown.classList.remove("on");
    shown = mark;
    value.textContent = mark ? mark.getAttribute("aria-label") : "";
    if (!mark) return;
    mark.classList.add("on");
    const box = mark.getBoundingClientRect(), frame = plot.getBoundingClientRect();
    const middle = box.left + box.width / 2 - frame.left - value.offsetWidth / 2;
    const above = box.top - frame.top - value.offsetHeight - 8;
    value.style.left = `${Math.max(0, Math.min(middle, frame.width - value.offsetWidth))}px`;
    value.style.top = `${above >= 0 ? above : box.bottom - frame.top + 8}px`;
  };

  // How far a point lies outside of the mark's box.
  const distance = (mark, x, y) => {
    const box = mark.getBoundingClientRect();
    return Math.hypot(Math.max(box.left - x, 0, x - box.right), Math.max(box.top - y, 0, y - box.bottom));
  };

  plot.addEventListener("pointermove", (event) => {
    const found = marks().map((mark) => [distance(mark, event.clientX, event.clientY), mark]);
    const nearest = found.reduce((a, b) => (b[0] < a[0] ? b : a), [40, null]);
    show(nearest[1]);
  });
  plot.addEventListener("pointerleave", () => show(document.activeElement === plot ? shown : null));
  plot.addEventListener("focus", () => show(shown || marks()[0] || null));
  plot.addEventListener("blur", () => show(null));
  plot.addEventListener("keydown", (event) => {
    const all = marks(), at = all.indexOf(shown);
    const to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
    if (event.key === "Escape") show(null);
    else if (event.key in to && all.length) show(all[Math.max(0, Math.min(all.length - 1, to[event.key]))]);
    else return;
    event.preventDefault();
  });
}
