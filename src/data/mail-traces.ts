/**
 * What must go from a mail before it can be a fair example: traces of how it came into the corpus, which tell ham from
 * spam without a word of it being read. Found by looking at the strongest words of the logistic regression
 * (`fna train --baseline` prints them) and by reading the mails that have them.
 *
 *   quotation      "> " before every line of an answer, "On Mon, Sep 02, 2002 at 11:12, X wrote:", "Original Message",
 *                  headers of quoted mails: nearly all ham is conversation on a list, so a single mark would decide
 *   footers        what list servers and free mail services append, and the slogan that the hosts of some spam traps
 *                  append to spam
 *   feed heads     "URL: …", "Date: …" and "[IMG: …]" that a news-to-mail gateway of the collector writes into its ham
 *   collectors     names of the people and hosts who made the corpus, and the placeholders that they put in their place
 *   PGP            the armour, not what is signed
 *   addresses      become `url` and `email`: a domain tells the list
 *   dates, digits  the groups of the corpus come from different months. Weekdays and months beside a number go; every
 *                  digit becomes 0, so "2002" is "0000" and "$19.95" still looks like a price
 *   drawing        rules, boxes and bullets made of symbols; currency signs stay
 *
 * Non-goals: the words themselves. A list about Linux stays a list about Linux, and a mail in Chinese is still likely spam
 * here, because the people whose ham this is wrote English.
 */

const month =
  "(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)";
const weekday = "(?:mon|tues?|wed(?:nes)?|thur?s?|fri|sat(?:ur)?|sun)(?:day)?";
const day = "\\d{1,2}(?:st|nd|rd|th)?";
const header =
  "url|date|from|to|cc|bcc|subject|sent|reply-to|message-id|received|return-path|mime-version|content-[a-z-]+|x-[a-z-]+";
const domain = "[\\w-]+(?:\\.[\\w-]+)*\\.(?:com|net|org|edu|gov|ie|uk|de|fr|ca|au|biz|info|us|tv)";

/** In this order: quotation marks go first, so that what they stand before is found. */
const traces: readonly (readonly [pattern: RegExp, by: string])[] = [
  [/^[ \t]*(?:[>|}:][ \t]*)+/gm, ""],
  [/^-----BEGIN PGP SIGNED MESSAGE-----\n(?:Hash:[^\n]*)?/gm, ""],
  [/^-----BEGIN PGP [A-Z ]+-----[\s\S]*?-----END PGP [A-Z ]+-----/gm, ""],
  [/^[^\n]*yahoo! groups sponsor[\s\S]{0,600}?-~->/gim, ""],
  [/^(?:to unsubscribe from this group|your use of yahoo! groups)[^\n]*\n(?:[^\n]+\n){0,3}/gim, ""],
  [/^this (?:sf\.net )?email is sponsored by[^\n]*\n(?:[^\n_]+\n){0,4}/gim, ""],
  [
    /^(?:do you yahoo!\?|get your free email|join the world's largest e-mail service|send and receive hotmail|msn (?:photos|messenger)|chat with friends online)[^\n]*\n(?:[^\n]+\n){0,2}/gim,
    "",
  ],
  [
    /^[^\n]*(?:listinfo|list maintainer:|\(un\)subscription|irish linux users|deathtospam|majordomo@|-(?:un)?subscribe@)[^\n]*$/gim,
    "",
  ],
  [/^\S+(?: \S+)? mailing list[ \t]*$/gim, ""],
  [/^[ \t]*-+ ?(?:begin )?(?:original message|forwarded (?:message|by|text))[^\n]*$/gim, ""],
  [/\[img:[^\]]*\]/gi, ""],
  [new RegExp(`^(?:${header}):[^\\n]*`, "gim"), ""],
  [/^(?:on [^\n]{4,120}\n?[^\n]{0,80}|[^\n]{1,80}) (?:wrote|writes|said|mentioned|stated|schrieb) ?:[ \t]*$/gim, ""],
  [/\b(?:https?|ftp|mailto):[^\s<>"')\]]+|\bwww\.[^\s<>"')\]]+/gi, " url "],
  [/[\w.+=-]+@[\w-]+(?:\.[\w-]+)*/g, " email "],
  [new RegExp(`\\b${domain}\\b(?:/[^\\s<>"')\\]]*)?`, "gi"), " url "],
  [/\b(?:spam[-_ ]?assassin|taint|netnote(?:inc)?|jm|jmason|justin mason|yyyy+|zzzz+|xent|razor)\b/gi, " "],
  [new RegExp(`\\b${weekday},? *(?=\\d|${month}\\b)`, "gi"), " "],
  [new RegExp(`\\b${day}[ -]*(?:of )?${month}\\b[ ,-]*(?:\\d{2,4}\\b)?`, "gi"), " "],
  [new RegExp(`\\b${month}\\.?[ -]*(?:${day}|\\d{4})\\b,?(?: *\\d{4}\\b)?`, "gi"), " "],
  [/\b\d{1,2}[./-]\d{1,2}[./-]\d{4}\b|\b\d{4}-\d{2}-\d{2}\b/g, " "],
  [/\d/g, "0"],
  [/[<>=+|~^`*_#\\\ufffd]+/g, " "],
];

/** The text without the traces above. */
export function withoutTraces(text: string): string {
  return traces.reduce((rest, [pattern, by]) => rest.replace(pattern, by), text.replace(/\r\n?/g, "\n"));
}
