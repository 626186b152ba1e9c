// The moments at which what is known of connection and cooldown may be old: the page is looked at again, comes out of the browser's
// drawer of pages, thaws, or the network is back. (A sleep that nobody reports is seen by the client: time has jumped.)

/** @param {(renewed: boolean) => void} run  renewed: connections of before are surely of no use */
export function onWake(run) {
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') run(false);
  });
  document.addEventListener('resume', () => run(false));
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) run(true);
  });
  window.addEventListener('online', () => run(true));
}
