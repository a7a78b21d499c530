// The page of a job: asks once a second how far it is, and shows the outcome when it is over.
const job = document.querySelector("[data-job]");
const bar = job?.querySelector("progress");
const text = job?.querySelector("[data-job-text]");

async function look() {
  try {
    const answer = await fetch(job.dataset.job, { headers: { "x-partial": "progress" }, redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const now = await answer.json();
    if (now.over) return location.reload();
    if (now.permille === null) bar.removeAttribute("value");
    else bar.value = now.permille;
    text.textContent = now.text;
  } catch {
    // The server may be starting again; the job goes on by itself, and so does the looking.
  }
  setTimeout(look, 1000);
}
if (job) setTimeout(look, 1000);
