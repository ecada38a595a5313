import type { ServerResponse } from 'node:http';
import { type Headers, send, sendText } from './answer.ts';
import { type Assets, bodyFor } from './assets.ts';
import type { Visit } from './desk.ts';

const missing =
  'The pages of the portal are not here: they are made by `npm run build`, beside the program in dist/portal/public.';

/**
 * Serves everything that is not /api: a file of the pages, or for the path of a page index.html.
 * @returns what it was, for the log: paths of pages may be secret links
 */
export function servePages(
  assets: Assets | undefined,
  { request }: Visit,
  response: ServerResponse,
  path: string,
): string {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    sendText(request, response, 405, 'Pages are only read.', { allow: 'GET, HEAD' });
    return 'page';
  }
  if (assets === undefined) {
    sendText(request, response, 503, missing);
    return 'page';
  }
  const isPage = !/\.[A-Za-z0-9]+$/.test(path);
  const asset = assets.get(isPage ? '/index.html' : path);
  if (asset === undefined) {
    sendText(request, response, 404, 'There is no such file.');
    return 'asset';
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
    return isPage ? 'page' : 'asset';
  }
  send(request, response, 200, headers, body);
  return isPage ? 'page' : 'asset';
}
