import { readFile } from 'node:fs/promises';
import type { MetadataStatement } from '@simplewebauthn/server';
import type { AllowedModels } from '../config/contract.ts';
import { messageOf, SallyportError } from '../lib/errors.ts';
import { limits } from '../limits.ts';

/**
 * FIDO Metadata Service 3.1.1, "AuthenticatorStatus": models that the Alliance declares untrusted, whatever their
 * certificates say.
 */
const distrusted: ReadonlySet<string> = new Set([
  'REVOKED',
  'ATTESTATION_KEY_COMPROMISE',
  'USER_KEY_REMOTE_COMPROMISE',
  'USER_KEY_PHYSICAL_COMPROMISE',
  'USER_VERIFICATION_BYPASS',
]);

/**
 * The statements of the models that a realm allows. The file is a list of metadata statements, or the payload of
 * the Alliance's BLOB (`entries`), as plain JSON; the administrator who installs it has verified its origin.
 *
 * @throws SallyportError `metadata-unreadable`
 */
export async function readMetadata({
  aaguids,
  metadataFile,
}: AllowedModels): Promise<readonly MetadataStatement[]> {
  let parsed: unknown;
  try {
    const text = await readFile(metadataFile);
    if (text.length > limits.metadataFile) throw new Error(`it is over ${limits.metadataFile} bytes`);
    parsed = JSON.parse(text.toString());
  } catch (error) {
    throw unreadable(metadataFile, messageOf(error));
  }
  const list = Array.isArray(parsed) ? parsed : at(parsed, 'entries');
  if (!Array.isArray(list))
    throw unreadable(metadataFile, 'it is no list of statements and has no "entries"');
  // A model that is distrusted in one entry is distrusted in all: the same statement may occur twice.
  const bad = new Set(list.filter(isDistrusted).flatMap(modelsIn));
  return list.flatMap((entry: unknown): MetadataStatement[] => {
    const statement = at(entry, 'metadataStatement') ?? entry;
    const [aaguid] = modelsIn(statement);
    if (aaguid === undefined || !aaguids.includes(aaguid) || bad.has(aaguid)) return [];
    return isStatement(statement) ? [{ ...statement, aaguid }] : [];
  });
}

/** The AAGUIDs that an entry or a statement is about. */
function modelsIn(value: unknown): readonly string[] {
  const named = [at(value, 'aaguid'), at(at(value, 'metadataStatement'), 'aaguid')];
  return named.flatMap((aaguid) => (typeof aaguid === 'string' ? [aaguid.toLowerCase()] : []));
}

function isDistrusted(entry: unknown): boolean {
  const reports = at(entry, 'statusReports');
  return Array.isArray(reports) && reports.some((report) => distrusted.has(String(at(report, 'status'))));
}

/** The parts that the verification reads; a root is required, or any chain would be accepted. */
function isStatement(value: unknown): value is MetadataStatement {
  const roots = at(value, 'attestationRootCertificates');
  const isListOfTexts = (list: unknown) =>
    Array.isArray(list) && list.every((item) => typeof item === 'string');
  return (
    isListOfTexts(roots) &&
    Array.isArray(roots) &&
    roots.length > 0 &&
    isListOfTexts(at(value, 'attestationTypes')) &&
    isListOfTexts(at(value, 'authenticationAlgorithms'))
  );
}

function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? Object.getOwnPropertyDescriptor(value, key)?.value
    : undefined;
}

function unreadable(file: string, why: string): SallyportError {
  return new SallyportError(
    'metadata-unreadable',
    `the realm allows only some models of security keys, and its metadata_file ${file} cannot be used: ${why}`,
  );
}
