// What the page says, in German where the browser asks for it, else in English.

const english = {
  things: "Places",
  streams: "Signals",
  rate: "Changes / s",
  loading: "Reading …",
  live: (count) => `Live · ${count} signals`,
  partly: (count, all) => `Live · ${count} of ${all} signals: zoom in for the others`,
  connecting: "Connecting …",
  unreadable: (why) => `The data can't be read now: ${why}. Trying again …`,
  disconnected: "The connection is lost. Trying again …",
  empty: "There is nothing to show yet",
  unknown: "no value",
  other: "other",
  close: "Close",
  now: "now",
  ago: (seconds) => new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" }).format(...rounded(seconds)),
};

const german = {
  ...english,
  things: "Orte",
  streams: "Signale",
  rate: "Wechsel / s",
  loading: "Wird gelesen …",
  live: (count) => `Live · ${count} Signale`,
  partly: (count, all) => `Live · ${count} von ${all} Signalen: näher heran für die anderen`,
  connecting: "Verbindung wird aufgebaut …",
  unreadable: (why) => `Die Daten sind gerade nicht lesbar: ${why}. Neuer Versuch …`,
  disconnected: "Die Verbindung ist unterbrochen. Neuer Versuch …",
  empty: "Noch ist nichts zu sehen",
  unknown: "kein Wert",
  other: "andere",
  close: "Schließen",
  now: "jetzt",
  ago: (seconds) => new Intl.RelativeTimeFormat("de", { numeric: "always", style: "short" }).format(...rounded(seconds)),
};

function rounded(seconds) {
  for (const [unit, length] of [["day", 86400], ["hour", 3600], ["minute", 60]]) {
    if (seconds >= length) {
      return [-Math.floor(seconds / length), unit];
    }
  }
  return [-Math.floor(seconds), "second"];
}

export const language = navigator.language.toLowerCase().startsWith("de") ? "de" : "en";
export const words = language === "de" ? german : english;
export const number = new Intl.NumberFormat(language);
