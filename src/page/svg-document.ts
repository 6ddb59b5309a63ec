/**
 * As much of a document as Plot needs to draw into: SVG elements that are made, given attributes, styles and children, and
 * written as text. A DOM for servers has a hundred times the code, and would be a tenth of the package.
 *
 * There is no parser, no selector and no layout: whatever else a drawing asks of a document is not there, and throws.
 */

const namespace = "http://www.w3.org/2000/svg";

/** A text. */
class TextNode {
  readonly nodeType = 3;
  parentNode: SvgNode | null = null;

  constructor(
    readonly ownerDocument: SvgDocument,
    public textContent: string,
  ) {}

  get outerHTML(): string {
    return escapeText(this.textContent);
  }
}

type Child = TextNode | SvgNode;

/** An element. */
class SvgNode {
  readonly nodeType = 1;
  readonly namespaceURI = namespace;
  parentNode: SvgNode | null = null;
  childNodes: Child[] = [];
  /** Styles by their names in scripts, as they are assigned. */
  readonly style: Record<string, string> = {};
  readonly #attributes = new Map<string, string>();

  constructor(
    readonly ownerDocument: SvgDocument,
    readonly tagName: string,
  ) {}

  setAttribute(name: string, value: unknown): void {
    this.#attributes.set(name, String(value));
  }

  getAttribute(name: string): string | null {
    return this.#attributes.get(name) ?? null;
  }

  removeAttribute(name: string): void {
    this.#attributes.delete(name);
  }

  get children(): SvgNode[] {
    return this.childNodes.filter((child) => child.nodeType === 1);
  }

  /** Puts a child before another one, or at the end. */
  insertBefore<C extends Child>(child: C, before: Child | null): C {
    child.parentNode = this;
    this.childNodes.splice(before === null ? this.childNodes.length : this.childNodes.indexOf(before), 0, child);
    return child;
  }

  appendChild<C extends Child>(child: C): C {
    return this.insertBefore(child, null);
  }

  append(...children: (Child | string)[]): void {
    for (const child of children) {
      this.appendChild(typeof child === "string" ? this.ownerDocument.createTextNode(child) : child);
    }
  }

  set textContent(text: string) {
    this.childNodes = [];
    if (text !== "") this.append(String(text));
  }

  get outerHTML(): string {
    const style = Object.entries(this.style).map(([name, value]) => `${dashed(name)}:${value}`);
    const attributes = [...this.#attributes, ...(style.length > 0 ? [["style", style.join(";")]] : [])];
    const tag = [this.tagName, ...attributes.map(([name, value]) => `${name}="${escapeText(value)}"`)].join(" ");
    const inner = this.childNodes.map((child) => child.outerHTML).join("");
    return inner === "" ? `<${tag} />` : `<${tag}>${inner}</${this.tagName}>`;
  }
}

/** The document: elements are made by it, and not kept. */
class SvgDocument {
  /** Tells what new elements are when nobody says so: SVG. */
  readonly documentElement = new SvgNode(this, "svg");
  readonly defaultView = null;

  createElementNS(_: string, tagName: string): SvgNode {
    return new SvgNode(this, tagName);
  }

  createTextNode(text: string): TextNode {
    return new TextNode(this, text);
  }
}

/** "fontSize" as style sheets have it. */
function dashed(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
}

/** A document to draw one picture into; the type is that of browsers, of which it has the part above. */
export function svgDocument(): Document {
  return new SvgDocument() as unknown as Document;
}
