/**
 * A mail to the words that a person reads in it: no headers (nor the subject, which carries the tags of mailing lists),
 * no attachments, MIME decoded (quoted-printable, base64, nested parts), HTML reduced to its text.
 *
 * Where a part comes both as text and as HTML the HTML is taken: the text is often only a line that asks for another
 * reader, and people see the other one.
 *
 * The parsers are `postal-mime` and `htmlparser2`, handed in by the caller: they are installed with the mails (`corpora/`),
 * and not with the package, which nobody else needs them for.
 *
 * Non-goals: layout, links, pictures, and the charset of bytes that were lost before they came here.
 */

import type { Parser } from "htmlparser2";
import type PostalMime from "postal-mime";

/** What takes a mail apart. */
export interface MailParsers {
  readonly mime: Pick<typeof PostalMime, "parse">;
  readonly Html: typeof Parser;
}

/**
 * The body of a mail as plain text; "" when it has none (attachments only, or nothing).
 * @param raw the whole mail with its headers: bytes, or a string of which only ASCII counts
 */
export async function mailText({ mime, Html }: MailParsers, raw: Uint8Array | string): Promise<string> {
  const { html, text } = await mime.parse(typeof raw === "string" ? toAscii(raw) : raw);
  const fromHtml = html === undefined ? "" : htmlText(Html, html);
  if (fromHtml.trim() !== "") return fromHtml;
  return text !== undefined && undeclaredHtml.test(text) ? htmlText(Html, text) : (text ?? "");
}

/** HTML that says it is plain text. */
const undeclaredHtml = /<(?:html|body|font|table|center|img|br|a href)\b[^>]*>/i;

/**
 * Letters without their accents, and a space for what is then not ASCII. A mail that is a string was decoded once already;
 * the charset that a part declares would decode it again, and turn "é" into two letters of nonsense.
 */
function toAscii(raw: string): string {
  return raw.normalize("NFKD").replace(/[^\0-\x7f]+/g, (odd) => (/^\p{M}+$/u.test(odd) ? "" : " "));
}

/** Elements whose content nobody reads. */
const unread = new Set(["script", "style", "title", "noscript", "template"]);
/** Elements that do not end a word; all others do. */
const inline = new Set(
  "a abbr acronym b bdo big cite code dfn em font i kbd q s samp small span strike strong sub sup tt u var".split(" "),
);

/** The text of an HTML document: entities decoded, comments dropped, a line break wherever an element ends a word. */
export function htmlText(Html: MailParsers["Html"], html: string): string {
  let text = "";
  let hidden = 0;
  const parser = new Html({
    onopentag(name) {
      if (unread.has(name)) hidden++;
      if (!inline.has(name)) text += "\n";
    },
    onclosetag(name) {
      if (unread.has(name)) hidden--;
      if (!inline.has(name)) text += "\n";
    },
    ontext(data) {
      if (hidden === 0) text += data;
    },
  });
  // A comment that never ends would swallow the rest.
  parser.end(html.replace(/<!--(?![\s\S]*-->)/g, "<"));
  return text;
}
