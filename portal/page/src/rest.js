// Reads the service over HTTPS: page after page, and again after a while where it does not answer.

const LATEST = "Observations($select=result,phenomenonTime;$orderby=phenomenonTime desc;$top=1)";
const LONGEST_WAIT = 30_000;

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** A key in a path or a topic: a number, or a text in quotes. */
export function key(id) {
  return typeof id === "number" ? String(id) : `'${String(id).replaceAll("'", "''")}'`;
}

async function read(url, failing) {
  for (let wait = 1000; ; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      const response = await fetch(url);
      if (response.ok) {
        return await response.json();
      }
      failing(`HTTP ${response.status}`);
      if (response.status < 500 && response.status !== 429 && response.status !== 408) {
        // Asked again it would say the same, unless somebody mends it.
        wait = LONGEST_WAIT;
      }
    } catch (error) {
      failing(error.message);
    }
    await pause(wait * (0.75 + Math.random() / 2));
  }
}

/** All entities of a collection, a page at a time (OGC 18-088, 9.3.3.6.1: @iot.nextLink). */
export async function* pages(url, failing) {
  for (let next = url; next; ) {
    const page = await read(next, failing);
    yield page.value ?? [];
    next = page["@iot.nextLink"];
  }
}

/** Things with their places and Datastreams; those of a Thing with many come in pages of their own. */
export async function* things(url, failing) {
  for await (const page of pages(url, failing)) {
    yield page;
    for (const thing of page) {
      const more = thing["Datastreams@iot.nextLink"];
      if (more) {
        for await (const datastreams of pages(more, failing)) {
          yield [{ ...thing, Datastreams: datastreams }];
        }
      }
    }
  }
}

/** The request for the newest Observation of each Datastream; within a view, where one is given. */
export function latest({ rest, layer }, view) {
  const parts = [layer, view && `st_within(Thing/Locations/location,geography'${view}')`].filter(Boolean);
  const filter = parts.length > 0 ? `&$filter=${encodeURIComponent(parts.join(" and "))}` : "";
  return `${rest}/Datastreams?$select=id&$expand=${encodeURIComponent(LATEST)}${filter}&$orderby=id&$top=200`;
}
