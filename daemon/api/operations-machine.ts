import type { Operation } from './operation.ts';
import { follow, read, readAll, rootAlone } from './permissions.ts';

/** About the daemon, its store, its realms and all accounts at once. */
export const machineOperations = {
  status: {
    method: 'GET',
    path: '/v1/status',
    about: 'none',
    what: 'How the daemon, its store and its configuration are',
    access: readAll,
  },
  metrics: {
    method: 'GET',
    path: '/v1/metrics',
    about: 'none',
    what: 'Figures for Prometheus, as text',
    access: readAll,
  },
  reload: {
    method: 'POST',
    path: '/v1/reload',
    about: 'none',
    what: 'Reads the configuration again; a bad one changes nothing',
    access: rootAlone,
  },
  backup: {
    method: 'POST',
    path: '/v1/backup',
    about: 'none',
    what: 'Everything in the store as it is now, still sealed; with the master key, if that is asked for',
    access: rootAlone,
  },
  'store-check': {
    method: 'POST',
    path: '/v1/store/check',
    about: 'none',
    what: 'Begins to read everything in the store; status says how far it came and what it found',
    access: rootAlone,
  },
  'keys-adopt': {
    method: 'POST',
    path: '/v1/keys/adopt',
    about: 'none',
    what: 'Reads the master key file again, and seals everything with its first key',
    access: rootAlone,
  },
  'realm-list': {
    method: 'GET',
    path: '/v1/realms',
    about: 'none',
    what: 'The realms in force, in their order',
    access: readAll,
  },
  'realm-show': {
    method: 'GET',
    path: '/v1/realms/:realm',
    about: 'none',
    what: 'One realm with its rules',
    access: readAll,
  },
  report: {
    method: 'POST',
    path: '/v1/report',
    about: 'none',
    what: 'What each of the accounts named in the request would meet if its realm asked; changes nothing',
    access: readAll,
  },
  import: {
    method: 'POST',
    path: '/v1/import',
    about: 'none',
    what: 'Takes accounts over from another system, with what is spent of their factors',
    access: rootAlone,
  },
  export: {
    method: 'POST',
    path: '/v1/export',
    about: 'none',
    what: 'Hands out the secrets of accounts, for another system',
    access: rootAlone,
  },
  'audit-read': {
    method: 'GET',
    path: '/v1/audit',
    about: 'query',
    what: 'The audit trail, newest first',
    access: read,
  },
  'audit-verify': {
    method: 'GET',
    path: '/v1/audit/verify',
    about: 'none',
    what: 'Whether each event of the trail follows on the one before, a stretch at a time',
    access: readAll,
  },
  'audit-follow': {
    method: 'GET',
    path: '/v1/audit/follow',
    about: 'query',
    what: 'The audit trail as it grows, one JSON object a line',
    access: follow,
  },
} as const satisfies Record<string, Operation>;
