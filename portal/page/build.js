// Bundles the page into the folder that is given: index.html beside assets/, whose names hold a hash of what is in them.
import { build } from "esbuild";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";

const target = process.argv[2];
if (!target) {
  throw new Error("node build.js FOLDER: say where the page goes");
}
const { metafile } = await build({
  entryPoints: ["src/main.js", "src/style.css"],
  outdir: join(target, "assets"),
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  minify: true,
  target: ["chrome100", "firefox100", "safari15"],
  loader: { ".png": "dataurl", ".svg": "dataurl" },
  legalComments: "none",
  metafile: true,
});
const made = Object.entries(metafile.outputs).map(([file, output]) => [relative(target, file), output.entryPoint]);
const of = (source) => made.find(([, entry]) => entry === source)[0];
const page = (await readFile("index.html", "utf8"))
  .replace("{{style}}", of("src/style.css"))
  .replace("{{script}}", of("src/main.js"));
await mkdir(target, { recursive: true });
await writeFile(join(target, "index.html"), page);

// What the bundle holds of others says so: each package's own licence, as it came.
const { packages } = JSON.parse(await readFile("package-lock.json", "utf8"));
const texts = [];
for (const [folder, { version, license, dev }] of Object.entries(packages)) {
  if (folder && !dev) {
    let text = "";
    for (const file of ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE", "license", "LICENSE-MIT"]) {
      text ||= await readFile(`${folder}/${file}`, "utf8").catch(() => "");
    }
    texts.push(`${folder.replace(/^.*node_modules\//, "")} ${version} (${license})\n\n${text}`);
  }
}
await writeFile(join(target, "licences.txt"), texts.join("\n----\n\n"));
