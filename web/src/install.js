// The page can be installed, and says so itself when its server is away: see sw.js.

/** Called when the canvas is there, so that the first paint has the network for itself. */
export async function keepOffline() {
  try {
    // Plain HTTP under a name of its own: browsers have no service workers there. Where nothing may be kept, asking for them is an error.
    const workers = navigator.serviceWorker;
    if (!workers) return;
    const visited = workers.controller !== null;
    await workers.register('sw.js');
    const { active } = await workers.ready;
    if (visited) active?.postMessage('visited');
  } catch {
    // A browser that keeps nothing, or a server that went away just now: the page works without.
  }
}
