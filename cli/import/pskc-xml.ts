import sax, { type QualifiedTag } from 'sax';
import { ImportError } from './contract.ts';

/** What one element of interest says: the text in it, and its attributes by local name. */
export interface Said {
  readonly text: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Elements by their path of local names below the one they belong to: "Key/Data/Secret/PlainValue". */
export type Elements = ReadonlyMap<string, Said>;

/** RFC 6030's own nesting is ten deep. */
const deepest = 32;
/** Of one element's text; a certificate is the longest that stands in such files. */
const longestText = 16_384;
/** Of one package. */
const mostElements = 256;

/**
 * Reads a KeyContainer of RFC 6030 in pieces.
 *
 * MUST hold: no document type, so no entity but XML's own five is ever expanded; depth, texts and elements are
 * bounded, so that a file of any size costs the memory of one package.
 *
 * @throws ImportError
 */
export function createPskcReader(): {
  /** @returns the packages that ended in this piece */
  write(piece: string): readonly Elements[];
  end(): void;
  /** What stands in the container, outside its packages. */
  readonly container: Elements;
} {
  const container = new Map<string, Said>();
  let packages: Elements[] = [];
  let current: Map<string, Said> | undefined;
  const path: { readonly name: string; text: string; readonly attributes: Record<string, string> }[] = [];
  // Without a copy of the text in its messages: only the line is told.
  const parser = new sax.SAXParser(true, { xmlns: true, trim: true, position: true });
  const fail = (why: string) => {
    throw new ImportError(`line ${parser.line + 1}: ${why}`);
  };
  parser.onerror = () => fail('it is no well-formed XML');
  parser.ondoctype = () => fail('it has a document type (DOCTYPE), which no such file needs; take it out');
  parser.onopentag = (tag) => {
    const { local, attributes } = tag as QualifiedTag;
    if (path.length === 0 && local !== 'KeyContainer') fail('it is no KeyContainer (RFC 6030)');
    if (path.length >= deepest) fail('its elements are nested too deep');
    const said = Object.values(attributes).map((one) => [one.local, one.value] as const);
    path.push({ name: local, text: '', attributes: Object.fromEntries(said) });
    if (path.length === 2 && local === 'KeyPackage') current = new Map();
  };
  const addText = (text: string) => {
    const top = path.at(-1);
    if (top === undefined) return;
    if (top.text.length + text.length > longestText) fail('one of its texts is too long');
    top.text += text;
  };
  parser.ontext = addText;
  parser.oncdata = addText;
  parser.onclosetag = () => {
    const top = path.at(-1);
    const isPackage = path[1]?.name === 'KeyPackage';
    const place = path
      .slice(isPackage ? 2 : 1)
      .map(({ name }) => name)
      .join('/');
    path.pop();
    if (top === undefined) return;
    const into = isPackage ? current : container;
    if (isPackage && path.length === 1) {
      if (current !== undefined) packages.push(current);
      current = undefined;
      return;
    }
    if ((into?.size ?? 0) >= mostElements) fail('it has too many elements in one package');
    // Of two with one path the first counts: RFC 6030 allows one key in a package.
    if (into !== undefined && place !== '' && !into.has(place))
      into.set(place, { text: top.text.trim(), attributes: top.attributes });
  };
  return {
    write(piece) {
      packages = [];
      parser.write(piece);
      return packages;
    },
    end() {
      parser.close();
    },
    container,
  };
}
