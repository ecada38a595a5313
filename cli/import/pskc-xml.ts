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

/**
 * Parses a KeyContainer of RFC 6030 in chunks.
 *
 * Invariants: no document type, so that only XML's five entities are expanded; depth, texts and elements are
 * bounded, so that a file of any size needs the memory of one package.
 *
 * @throws ImportError
 */
export function createPskcReader(): {
  /** @returns the packages completed by this chunk */
  write(piece: string): readonly Elements[];
  end(): void;
  /** Elements of the container outside its packages. */
  readonly container: Elements;
} {
  const container = new Map<string, Said>();
  let packages: Elements[] = [];
  let current: Map<string, Said> | undefined;
  const path: { readonly name: string; text: string; readonly attributes: Record<string, string> }[] = [];
  // Messages name only the line: the parser's own would quote secrets.
  const parser = new sax.SAXParser(true, { xmlns: true, trim: true, position: true });
  const fail = (why: string) => {
    throw new ImportError(`line ${parser.line + 1}: ${why}`);
  };
  parser.onerror = () => fail('malformed XML');
  parser.ondoctype = () => fail('the file has a DOCTYPE, which PSKC does not need; remove it');
  parser.onopentag = (tag) => {
    const { local, attributes } = tag as QualifiedTag;
    if (path.length === 0 && local !== 'KeyContainer') fail('not a KeyContainer (RFC 6030)');
    if (path.length >= deepest) fail('elements are nested too deeply');
    const said = Object.values(attributes).map((one) => [one.local, one.value] as const);
    path.push({ name: local, text: '', attributes: Object.fromEntries(said) });
    if (path.length === 2 && local === 'KeyPackage') current = new Map();
  };
  const addText = (text: string) => {
    const top = path.at(-1);
    if (top === undefined) return;
    if (top.text.length + text.length > longestText) fail('a text is too long');
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
    if ((into?.size ?? 0) >= mostElements) fail('a package has too many elements');
    // Of two elements with one path the first applies: RFC 6030 allows one key per package.
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
