// Lists of IP addresses and ranges.

import { BlockList, isIP } from 'node:net';

/**
 * @param ranges addresses and CIDR ranges, such as `10.0.0.7` and `192.168.0.0/16`
 * @returns a function that says whether an address is in one of the ranges. It also recognises an IPv4 address in its
 * IPv6 form. It ignores a zone (`%eth0`).
 */
export function createAddressList(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/');
    const family = familyOf(address);
    if (prefix === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(prefix), family);
  }
  return (given) => {
    const address = given.replace(/%.*$/, '');
    return isIP(address) !== 0 && list.check(address, familyOf(address));
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
