// The secret with which a lost session's look is taken over (docs/protocol.md, Resume). It lives in this tab only, and
// outlives a reload there; the service keeps a look for a minute.

const KEY = "stream-retouch";
const KEEP_MS = 60000;

export class Resume {
  constructor() {
    this.token = "";
    this.source = "";
  }

  remember(token, source) {
    this.token = token;
    this.source = source;
    this.alive();
  }

  // The session lives; what was lost counts from the last such moment.
  alive() {
    if (this.token) store(JSON.stringify({ token: this.token, source: this.source, at: Date.now() }));
  }

  forget() {
    this.token = "";
    store("");
  }

  // The source of a session that this tab lost not long ago, and its token in `token`; "" when there is none.
  earlier() {
    let kept = {};
    try {
      kept = JSON.parse(sessionStorage.getItem(KEY) || "{}");
    } catch {
      return ""; // storage is switched off
    }
    const age = Date.now() - kept.at;
    if (!kept.token || !(age >= 0 && age < KEEP_MS)) return "";
    this.token = kept.token;
    this.source = kept.source;
    return kept.source;
  }
}

function store(text) {
  try {
    if (text) sessionStorage.setItem(KEY, text);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage is switched off: the look then comes back after a lost connection, but not after a reload.
  }
}
