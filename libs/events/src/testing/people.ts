/** Names that exist in no register: given and family names are combined at random, domains are reserved (RFC 2606). */
export const GIVEN_NAMES = [
  ...['Ada', 'Björn', 'Chloé', 'Dmitrij', 'Élodie', 'Fatıma', 'Giō', 'Hüseyin', 'Ingrid', 'José', 'Květa', 'Łucja'],
  ...[
    'María',
    'Nguyên',
    'Ólafur',
    'Þóra',
    'Quirin',
    'Ægir',
    'Søren',
    'Ţeodor',
    'Ursula',
    'Violette',
    'Ximena',
    'Žofie',
  ],
  ...['Αγγελική', 'Зоя', 'Йордан', 'ზურაბ', 'Արմեն', 'נועה', 'ليلى', 'आरव', 'ณัฐ', '小雨', 'はるか', '지우'],
] as const

export const FAMILY_NAMES = [
  ...['Abendroth', 'Brandström', 'Castañeda', "D'Angelo", 'Eriksdóttir', 'Fitzwater', 'García-Núñez', 'Håkonsen'],
  ...['Ionescu', 'Jørgensdal', 'Kovačević', 'Lefèvre', 'Müllerová', 'Nowakowski', 'O’Dálaigh', 'Pārstrādātājs'],
  ...['Quispe', 'Ružičková', 'Şahinoğlu', 'Tamm', 'Ukkonen', 'van der Velde', 'Wójcik', 'Yıldız'],
  ...['Παπαδάκη', 'Кузнєцова', 'ბერიძე', 'Սարգսյան', 'כהן', 'الحداد', 'शर्मा', 'วงศ์สวัสดิ์', '林', '山田', '김'],
] as const

export const LOCALES = [
  'en-GB',
  'de-AT',
  'fr-CA',
  'es-MX',
  'pt-BR',
  'el-GR',
  'tr-TR',
  'ar-EG',
  'hi-IN',
  'ja-JP',
  'ko-KR',
] as const

export const TIMEZONES = [
  ...['Europe/London', 'Europe/Vienna', 'America/Toronto', 'America/Mexico_City', 'America/Sao_Paulo', 'Europe/Athens'],
  ...['Europe/Istanbul', 'Africa/Cairo', 'Asia/Kolkata', 'Asia/Tokyo', 'Asia/Seoul'],
] as const

export const DEPARTMENTS = ['research', 'støtte', 'ventas', 'logistique', 'Бухгалтерия', '開発'] as const
