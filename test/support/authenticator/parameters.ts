import { type Cbor, CborError, type CborMap, decode } from './cbor.ts';
import { Refusal } from './status.ts';

/** The parameters of a CTAP2 command, read with their types. Each reader throws Refusal. */
export class Parameters {
  private readonly map: CborMap;

  constructor(map: CborMap) {
    this.map = map;
  }

  static of(payload: Buffer): Parameters {
    try {
      const value = decode(payload);
      if (value instanceof Map) return new Parameters(value);
    } catch (error) {
      if (!(error instanceof CborError)) throw error;
      throw new Refusal('invalidCbor');
    }
    throw new Refusal('unexpectedType');
  }

  bytes(key: number | string): Buffer | undefined {
    const value = this.map.get(key);
    if (value === undefined) return undefined;
    if (!(value instanceof Uint8Array)) throw new Refusal('unexpectedType');
    return Buffer.from(value);
  }

  text(key: number | string): string | undefined {
    return this.typed(key, (value) => typeof value === 'string');
  }

  number(key: number | string): number | undefined {
    return this.typed(key, (value) => typeof value === 'number');
  }

  dictionary(key: number | string): CborMap | undefined {
    return this.typed(key, (value) => value instanceof Map);
  }

  inner(key: number | string): Parameters | undefined {
    const map = this.dictionary(key);
    return map === undefined ? undefined : new Parameters(map);
  }

  list(key: number | string): readonly Parameters[] | undefined {
    const list = this.typed<readonly Cbor[]>(key, (value) => Array.isArray(value));
    return list?.map((each) => {
      if (!(each instanceof Map)) throw new Refusal('unexpectedType');
      return new Parameters(each);
    });
  }

  /** Options, as they are. */
  booleans(key: number | string): Readonly<Record<string, boolean>> {
    const entries = [...(this.dictionary(key) ?? [])];
    return Object.fromEntries(
      entries.map(([name, value]) => {
        if (typeof value !== 'boolean') throw new Refusal('unexpectedType');
        return [name, value];
      }),
    );
  }

  private typed<T extends Cbor>(key: number | string, isIt: (value: Cbor) => boolean): T | undefined {
    const value = this.map.get(key);
    if (value === undefined) return undefined;
    if (!isIt(value)) throw new Refusal('unexpectedType');
    return value as T;
  }
}

/** @throws Refusal if it is not there */
export function needed<T>(value: T | undefined): T {
  if (value === undefined) throw new Refusal('missingParameter');
  return value;
}
