/** Charts as text where there is no browser: a document of linkedom's stands in for one. */

import { parseJSON } from "linkedom";
import { Markup } from "./html.js";

/** The markup of what a function draws into a document. */
export function toMarkup(drawing: (document: Document) => Element): Markup {
  // An empty page, in node types: the bundle has no parser of HTML.
  const document = parseJSON([9, 1, "html", 1, "body"]);
  return new Markup(drawing(document as unknown as Document).outerHTML);
}
