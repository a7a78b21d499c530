// Runs before the first paint: marks that script is there and applies the chosen theme.
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  try {
    const theme = localStorage.getItem("denizen.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch { /* storage may be blocked; the system's theme holds */ }
})();
