"use strict";

// What is being measured now, asked for every two seconds while somebody looks; the server escapes every name.
const live = document.getElementById("live");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch("/live", { cache: "no-store" });
    if (answer.ok) live.innerHTML = await answer.text();
  } catch {
    live.textContent = "The server has ended.";
  }
}

setInterval(refresh, 2000);
