// Loads the page anew while its report is watched; place and folds stay as the reader has them.

const PLACE = `sgdlab ${location.pathname}`;

function folds() {
  return [...document.querySelectorAll("details")].map((fold) =>
    [fold, `${fold.closest("section")?.id}: ${fold.querySelector("summary").textContent}`]);
}

function leave() {
  const open = folds().filter(([fold]) => fold.open).map(([, name]) => name);
  try {
    sessionStorage.setItem(PLACE, JSON.stringify({ open, top: scrollY }));
  } catch { /* a browser that keeps nothing begins at the top */ }
  location.reload();
}

function comeBack() {
  try {
    const kept = JSON.parse(sessionStorage.getItem(PLACE));
    sessionStorage.removeItem(PLACE);
    if (!kept) return;
    history.scrollRestoration = "manual";
    for (const [fold, name] of folds()) if (kept.open.includes(name)) fold.open = true;
    scrollTo(0, kept.top);
  } catch { /* likewise */ }
}

function reload() {
  const seconds = Number(document.querySelector("meta[name=reload]")?.content);
  comeBack();
  if (!seconds) return;
  let used = 0;
  for (const kind of ["pointerdown", "keydown", "wheel"]) {
    addEventListener(kind, () => { used = Date.now(); }, { passive: true });
  }
  // Not under the hands of somebody who is reading a figure.
  setInterval(() => {
    if (!document.hidden && Date.now() - used > 3000 * seconds) leave();
  }, 1000 * seconds);
}
