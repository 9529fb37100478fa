// What the user calls the devices, as far as rows have told: for lists that have addresses alone.
const most = 5000;
const names = new Map(); // address -> name, the one that was heard of longest ago first

export function learn(rows) {
  for (const row of rows) {
    if (row.sn) set(row.src, row.sn);
    if (row.dn) set(row.dst, row.dn);
  }
}

// Of the server's counts, each of [address, number, error, name].
export function learnTop({ src = [], dst = [] }) {
  for (const [address, , , name] of [...src, ...dst]) if (name) set(address, name);
}

function set(address, name) {
  names.delete(address);
  names.set(address, name);
  if (names.size > most) names.delete(names.keys().next().value);
}

// [address, name] of devices whose name or address begins so, case aside.
export const beginning = (text) => [...names].filter(([address, name]) => address.startsWith(text) || name.toLowerCase().startsWith(text));

// "" where none is known.
export const nameOf = (address) => names.get(address) ?? "";
