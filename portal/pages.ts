import type { ServerResponse } from 'node:http';
import type { Visit } from './context.ts';
import { type Assets, bodyFor } from './http/assets.ts';
import { type Headers, send, sendText } from './http/response.ts';

const missing =
  'The pages of the portal are missing. Run `npm run build`, which writes them to dist/portal/public.';

/** For the log: paths of pages may be secret links. Every invite has a dot in it. */
export function kindOf(path: string): 'page' | 'asset' {
  return !path.startsWith('/invite/') && /\.[A-Za-z0-9]+$/.test(path) ? 'asset' : 'page';
}

/** Serves everything that is not /api: a file of the pages, or for the path of a page index.html. */
export function servePages(
  assets: Assets | undefined,
  { request }: Visit,
  response: ServerResponse,
  path: string,
): void {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendText(request, response, 405, 'Pages can only be read.', { allow: 'GET, HEAD' });
    return;
  }
  if (assets === undefined) {
    sendText(request, response, 503, missing);
    return;
  }
  const asset = assets.get(kindOf(path) === 'page' ? '/index.html' : path);
  if (asset === undefined) {
    sendText(request, response, 404, 'This file does not exist.');
    return;
  }
  const { encoding, body } = bodyFor(asset, request.headers['accept-encoding']?.toString());
  const headers: Headers = {
    'content-type': asset.type,
    'cache-control': asset.immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
    etag: asset.tag,
    vary: 'accept-encoding',
    ...(encoding === 'identity' ? {} : { 'content-encoding': encoding }),
  };
  if (request.headers['if-none-match'] === asset.tag) {
    response.writeHead(304, headers).end();
    return;
  }
  send(request, response, 200, headers, body);
}
