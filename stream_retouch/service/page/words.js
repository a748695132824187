// Names that people read: categories, regions, messages. The only place with sentences.

const CATEGORY = {
  pimple: "Pimples", acne: "Acne", freckle: "Freckles", spot: "Spots", dark_circle: "Dark circles",
  forehead_wrinkle: "Forehead wrinkles", crows_feet: "Crow's feet", fine_line: "Fine lines",
  stray_hair: "Stray hair", mole: "Moles", redness: "Redness", shine: "Shine", scar: "Scars",
  uneven_tone: "Uneven tone", eye_bag: "Eye bags", pores: "Pores",
  nasolabial_fold: "Smile lines", blemishes: "All blemishes",
};
const REGION = {
  forehead: "forehead", glabella: "between the brows", left_under_eye: "under the left eye",
  right_under_eye: "under the right eye", left_crows_feet: "beside the left eye",
  right_crows_feet: "beside the right eye", nose: "nose", left_cheek: "left cheek",
  right_cheek: "right cheek", mouth: "mouth", chin: "chin", jaw: "jaw",
};
const PAIRS = [
  ["left_cheek", "right_cheek", "cheeks"],
  ["left_under_eye", "right_under_eye", "under the eyes"],
  ["left_crows_feet", "right_crows_feet", "beside the eyes"],
];

const FIRST = [
  "Remove the spots on my forehead",
  "Soften the dark circles a little",
  "Everything but my freckles",
  "Less shine on my nose",
];
const THEN = ["A bit stronger", "A little less", "Keep my moles", "Start over"];

// What one may want to say, with this plan on.
export function examplesFor(plan) {
  return plan.edits.length ? THEN : FIRST;
}

const plain = (identifier) => identifier.replaceAll("_", " ");

export function categoryName(identifier) {
  return CATEGORY[identifier] ?? plain(identifier);
}

// "forehead, cheeks"; "all but chin" where that is shorter; empty for the whole face.
export function placeName(regions) {
  const missing = Object.keys(REGION).filter((region) => !regions.includes(region));
  if (regions.includes("face") || !missing.length) return "";
  if (missing.length < 4) return `all but ${named(missing)}`;
  return named(regions);
}

function named(regions) {
  const rest = new Set(regions);
  const names = [];
  for (const [left, right, both] of PAIRS) {
    if (rest.has(left) && rest.has(right)) {
      names.push(both);
      rest.delete(left);
      rest.delete(right);
    }
  }
  return [...[...rest].map((region) => REGION[region] ?? plain(region)), ...names].join(", ");
}

// "Spots · forehead", "Keep freckles".
export function chipName(kind, { category, regions }) {
  const name = categoryName(category);
  const place = placeName(regions);
  return (kind === "keep" ? `Keep ${name.toLowerCase()}` : name) + (place ? ` · ${place}` : "");
}

// How a turn came about, when it was not typed.
export const HOW = { spoken: "spoken", hand: "by hand" };

export const SPEECH = {
  ready: "Hold the button, or the space bar on it, and speak.",
  offline: "You can speak once the video runs.",
  asking: "Waiting for the microphone",
  allowed: "The microphone is ready: hold the button and speak.",
  listening: "Listening",
  thinking: "Understanding",
  nothing: "I heard no words. Hold the button for as long as you speak.",
  "no-answer": "The service did not say what it heard; try again, or type your words.",
  silent: "The microphone gives no sound: check that it is not muted, then try again.",
  "microphone-refused": "The microphone is not allowed. Allow it with the sign beside the address, or in the system's privacy settings.",
  "microphone-missing": "No microphone found: plug one in or switch it on.",
  "microphone-busy": "Another program holds the microphone. Close it, then try again.",
  "microphone-gone": "The microphone went away: plug it in again or choose another one.",
  "microphone-failed": "The microphone did not start; try again.",
  insecure: "Browsers give the microphone to https pages and to this machine's own address only.",
  "no-service": "This service takes no speech; type your words.",
  "recogniser-away": "The browser's recogniser was not reached: it needs the internet. Switch it off to use the service's.",
  "recogniser-failed": "The browser's recogniser stopped; try again.",
};

// What became of the look when the connection came back.
export const RESUME = {
  back: "Your look is back.",
  again: "Your look is set again. What undo could go back to is forgotten.",
  gone: "Your look was kept for a minute, which is over: say again what to change.",
};

// What went wrong and what helps. `retry`: the page tries again by itself.
export const NOTICES = {
  "camera-refused": {
    title: "The camera is not allowed",
    text: "Allow it with the camera sign beside the address (or in the system's privacy settings), then try again.",
    actions: ["again", "sample"],
  },
  "camera-missing": {
    title: "No camera found",
    text: "Plug one in or switch it on, then try again.",
    actions: ["again", "sample"],
  },
  "camera-busy": {
    title: "The camera is in use",
    text: "Another program holds it. Close that program or its video, then try again.",
    actions: ["again", "sample"],
  },
  "camera-gone": {
    title: "The camera went away",
    text: "Plug it in again or choose another one, then try again.",
    actions: ["again", "sample"],
  },
  "camera-failed": {
    title: "The camera did not start",
    text: "Try again; if it stays so, choose another camera or a smaller picture size.",
    actions: ["again", "sample"],
  },
  insecure: {
    title: "No camera at this address",
    text: "Browsers give the camera only to https pages and to this machine's own address. Open the page at http://127.0.0.1 on the machine that runs the service, or put https before it.",
    actions: ["sample"],
  },
  "sample-failed": {
    title: "The sample clip does not play",
    text: "This browser cannot play WebM video, or the clip is missing from the service. Use the camera.",
    actions: ["camera"],
  },
  "webrtc-missing": {
    title: "This browser cannot send video",
    text: "WebRTC is missing or switched off. Use a current Chromium, Firefox or Safari, or switch it on in the browser's settings.",
    actions: [],
  },
  "network-down": {
    title: "No network interface is up",
    text: "The browser finds no way out of this machine, which it needs even to reach a service on the same machine. Switch on Wi-Fi or plug in a cable.",
    actions: ["again"],
    retry: true,
  },
  reconnecting: {
    title: "Reconnecting…",
    text: "The connection was lost. Your look is kept for a minute and comes back by itself.",
    actions: ["again"],
    retry: true,
  },
  "server-gone": {
    title: "The service does not answer",
    text: "Start it again with make run. Your words are kept and sent again as soon as it is back.",
    actions: ["again"],
    retry: true,
  },
  "server-loading": {
    title: "The service is still loading",
    text: "It is getting its network ready. Your video starts by itself.",
    actions: [],
    retry: true,
  },
  "server-full": {
    title: "The service is full",
    text: "It serves as many people as it can. Your video starts as soon as a place is free.",
    actions: ["again"],
    retry: true,
  },
  "path-blocked": {
    title: "The video does not get through",
    text: "The service answers, but no video packet arrives: a firewall or VPN stops UDP between this browser and the service. Allow it, or use the service on this machine.",
    actions: ["again"],
    retry: true,
  },
  refused: {
    title: "The service refused this page",
    text: "Open the page at the address that the service printed when it started, with its token if it has one.",
    actions: ["again"],
  },
  "no-common-video": {
    title: "No video format in common",
    text: "The service could not use this browser's offer. Use a browser with H.264 or VP8.",
    actions: ["again"],
  },
};

export const ACTION_LABEL = {
  again: "Try again",
  sample: "Try the sample clip",
  camera: "Use my camera",
};

export const PILL = {
  idle: "Not started",
  starting: "Starting",
  connecting: "Connecting",
  live: "Live",
  waiting: "Waiting",
  error: "Stopped",
};
