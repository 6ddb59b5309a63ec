/** Charts as text, where there is no browser. */

import { Markup } from "./html.js";
import { svgDocument } from "./svg-document.js";

/** The markup of what a function draws into a document. */
export function toMarkup(drawing: (document: Document) => Element): Markup {
  return new Markup(drawing(svgDocument()).outerHTML);
}
