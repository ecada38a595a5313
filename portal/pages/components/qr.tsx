import { encode } from 'uqr';

/** Modules of white around the code, as ISO/IEC 18004 asks for. */
const quietZone = 4;

/** Black on white in dark mode too: many apps read nothing else. */
export function QrCode({ text, label }: { readonly text: string; readonly label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: 0 });
  const side = size + 2 * quietZone;
  return (
    <svg
      class="qr"
      viewBox={`0 0 ${side} ${side}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={side} height={side} fill="#fff" />
      <path d={darkModules(data)} fill="#000" />
    </svg>
  );
}

/** One piece per run of dark modules. */
function darkModules(data: readonly (readonly boolean[])[]): string {
  let path = '';
  data.forEach((row, y) => {
    for (let x = 0; x < row.length; x += 1) {
      if (row[x] !== true) continue;
      let end = x;
      while (row[end] === true) end += 1;
      path += `M${x + quietZone} ${y + quietZone}h${end - x}v1h${x - end}z`;
      x = end;
    }
  });
  return path;
}
