// The user's side: an authenticator app (oathtool), a camera (zbarimg) and a text message inbox (the server's dev mode).

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const run = (command, ...args) => execFileSync(command, args, { encoding: 'utf8' }).trimEnd();

export const totp = (secret) => run('oathtool', '--totp', '-b', secret);

/** A code that no step near now has. */
export function wrongTotp(secret) {
  const start = new Date(Date.now() - 120_000).toISOString().slice(0, 19).replace('T', ' ');
  const near = new Set(run('oathtool', '--totp', '-b', '-w', '8', '--now', `${start} UTC`, secret).split('\n'));
  return wrongBut(near);
}

export function wrongBut(codes) {
  for (let n = 0; ; n += 1) {
    const code = String(n).padStart(6, '0');
    if (!codes.has(code)) return code;
  }
}

/** What a camera reads in the picture of a data URL. */
export function scan(dataUrl) {
  const [head, picture] = dataUrl.split(',');
  if (head !== 'data:image/png;base64') throw new Error(`not a PNG data URL: ${head}`);
  const folder = mkdtempSync(join(tmpdir(), 'countersign-qr-'));
  try {
    const file = join(folder, 'qr.png');
    writeFileSync(file, Buffer.from(picture, 'base64'));
    return run('zbarimg', '--quiet', '--raw', '-Sdisable', '-Sqrcode.enable', file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function call(path, init = {}) {
  const headers = { authorization: `Bearer ${process.env.WORKOS_API_KEY}`, 'content-type': 'application/json' };
  const answer = await fetch(new URL(path, process.env.COUNTERSIGN_URL), { headers, ...init });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  return answer;
}

/** The newest text message to a number. */
export async function newestMessage(to) {
  const answer = await call(`/countersign/dev/messages?limit=1&to=${encodeURIComponent(to)}`);
  return (await answer.json()).data[0];
}

/** A plain request, for what no method of an SDK can ask for. */
export async function post(path, body) {
  return (await call(path, { method: 'POST', body: JSON.stringify(body) })).json();
}
