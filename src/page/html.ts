/**
 * HTML and SVG as text, escaped by default: whatever is put into an `html` template is escaped, unless it is itself the
 * result of one. Nothing that a text or a file name contains can become markup.
 */

/** Markup that is safe to insert as it is. */
export class Markup {
  constructor(readonly text: string) {}
  toString(): string {
    return this.text;
  }
}

type Part = Markup | string | number | undefined | false | readonly Part[];

/** Template tag: constants stay, values are escaped, lists are joined, `undefined` and `false` vanish. */
export function html(constants: TemplateStringsArray, ...parts: Part[]): Markup {
  let text = constants[0];
  for (let i = 0; i < parts.length; i++) text += insert(parts[i]) + constants[i + 1];
  return new Markup(text);
}

/** Text with the five characters of markup replaced, and without what XML cannot hold. */
export function escapeText(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function insert(part: Part): string {
  if (part === undefined || part === false) return "";
  if (part instanceof Markup) return part.text;
  if (typeof part === "object") return part.map(insert).join("");
  return escapeText(String(part));
}
