import sax, { type QualifiedTag } from 'sax';
import { ImportError } from './contract.ts';

/** Text and attributes, by local name, of an element. */
export interface Said {
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Elements by their path of local names: "Key/Data/Secret/PlainValue". */
export type Elements = ReadonlyMap<string, Said>;

/** RFC 6030 nests ten levels. */
const deepest = 32;
/** Maximum text of one element; certificates are the longest. */
const longestText = 16_384;
/** Maximum for one package. */
const mostElements = 256;

/** An element that is open. */
interface OpenElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  text: string;
}

/**
 * Parses a KeyContainer of RFC 6030 in chunks.
 *
 * Invariants: no document type, so that only XML's five entities are expanded; depth, texts and elements are
 * bounded, so that a file of any size needs the memory of one package.
 */
export class PskcReader {
  readonly #container = new Map<string, Said>();
  /** Completed and not yet returned. */
  #packages: Elements[] = [];
  #package: Map<string, Said> | undefined;
  /** The outermost first. */
  readonly #open: OpenElement[] = [];
  readonly #parser = new sax.SAXParser(true, { xmlns: true, trim: true, position: true });

  constructor() {
    // Messages name only the line: the parser's own would quote secrets.
    this.#parser.onerror = () => this.#fail('malformed XML');
    this.#parser.ondoctype = () => this.#fail('the file has a DOCTYPE, which PSKC does not need; remove it');
    this.#parser.onopentag = (tag) => this.#opened(tag as QualifiedTag);
    this.#parser.ontext = (text) => this.#addText(text);
    this.#parser.oncdata = (text) => this.#addText(text);
    this.#parser.onclosetag = () => this.#closed();
  }

  /** Elements of the container outside its packages. */
  get container(): Elements {
    return this.#container;
  }

  /**
   * @returns the packages completed by this chunk
   * @throws ImportError
   */
  write(piece: string): readonly Elements[] {
    this.#packages = [];
    this.#parser.write(piece);
    return this.#packages;
  }

  /** @throws ImportError */
  end(): void {
    this.#parser.close();
  }

  #fail(why: string): never {
    throw new ImportError(`line ${this.#parser.line + 1}: ${why}`);
  }

  #opened({ local, attributes }: QualifiedTag): void {
    if (this.#open.length === 0 && local !== 'KeyContainer') this.#fail('not a KeyContainer (RFC 6030)');
    if (this.#open.length >= deepest) this.#fail('elements are nested too deeply');
    const said = Object.values(attributes).map((one) => [one.local, one.value] as const);
    this.#open.push({ name: local, text: '', attributes: Object.fromEntries(said) });
    if (this.#open.length === 2 && local === 'KeyPackage') this.#package = new Map();
  }

  #addText(text: string): void {
    const top = this.#open.at(-1);
    if (top === undefined) return;
    if (top.text.length + text.length > longestText) this.#fail('a text is too long');
    top.text += text;
  }

  #closed(): void {
    const isInPackage = this.#open[1]?.name === 'KeyPackage';
    const names = this.#open.slice(isInPackage ? 2 : 1).map(({ name }) => name);
    const closed = this.#open.pop();
    if (closed === undefined) return;
    if (isInPackage && names.length === 0) {
      if (this.#package !== undefined) this.#packages.push(this.#package);
      this.#package = undefined;
      return;
    }
    const into = isInPackage ? this.#package : this.#container;
    if (into !== undefined) this.#keep(into, names.join('/'), closed);
  }

  /** Of two elements with one path the first applies: RFC 6030 allows one key per package. */
  #keep(into: Map<string, Said>, place: string, { text, attributes }: OpenElement): void {
    if (into.size >= mostElements) this.#fail('a package has too many elements');
    if (place !== '' && !into.has(place)) into.set(place, { text: text.trim(), attributes });
  }
}
