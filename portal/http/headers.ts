/**
 * The security headers of every response.
 *
 * Invariants: only our own scripts, styles, frames, forms and connections, and nothing inline; pages of other origins
 * cannot frame us, open us with a handle, or embed our responses; our addresses (some are secret links) are not sent as
 * referrers; browsers that used https once use only https.
 */
const always = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "form-action 'self'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'permissions-policy': [
    'publickey-credentials-get=(self)',
    'publickey-credentials-create=(self)',
    ...[
      'accelerometer',
      'autoplay',
      'browsing-topics',
      'camera',
      'clipboard-read',
      'display-capture',
      'encrypted-media',
      'fullscreen',
      'gamepad',
      'geolocation',
      'gyroscope',
      'hid',
      'idle-detection',
      'local-fonts',
      'magnetometer',
      'microphone',
      'midi',
      'otp-credentials',
      'payment',
      'picture-in-picture',
      'screen-wake-lock',
      'serial',
      'storage-access',
      'usb',
      'window-management',
      'xr-spatial-tracking',
    ].map((feature) => `${feature}=()`),
  ].join(', '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const year = 31_536_000;

/** @param secure whether the browser uses https */
export function securityHeaders(secure: boolean): Readonly<Record<string, string>> {
  return secure ? { ...always, 'strict-transport-security': `max-age=${2 * year}` } : always;
}

/** For responses that caches must not keep. */
export const unkept = { 'cache-control': 'no-store' } as const;
