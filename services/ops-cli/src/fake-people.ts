/** Names and places of one region, as invented people carry them. A pair is [as written, in Latin letters]. */
export interface FakeRegion {
  readonly locale: string
  readonly timezones: readonly string[]
  /** Share of the people generated, relative to the others. */
  readonly weight: number
  /** How the full name is written. */
  readonly order: 'given family' | 'family given' | 'familygiven'
  readonly given: readonly FakeName[]
  readonly family: readonly FakeName[]
  /**
   * Numbers set aside for fiction by the country's regulator, `#` being any digit: none can ring anywhere.
   * Where no such range exists the people have no telephone.
   */
  readonly phones: readonly string[]
}

export type FakeName = readonly [written: string, latin: string]

const latin = (names: string): FakeName[] => names.split(' ').map((name) => [name, name])
const pairs = (names: string): FakeName[] =>
  names.split(' ').map((pair) => {
    const [written = '', inLatin = ''] = pair.split('/')
    return [written, inLatin]
  })

/** Common given and family names of many countries, combined at random: any likeness to a person is chance. */
export const FAKE_REGIONS: readonly FakeRegion[] = [
  {
    locale: 'en-US',
    timezones: ['America/New_York', 'America/Chicago', 'America/Denver', 'America/Los_Angeles'],
    weight: 20,
    order: 'given family',
    given: latin(
      'Olivia Liam Emma Noah Ava Ethan Maya Jordan Grace Caleb Zoe Marcus Hannah Tyrone Naomi Wyatt Ruth Dwayne Paige Elijah',
    ),
    family: latin(
      "Carter Brooks Hayes Coleman Whitaker Nguyen Delgado O'Neal Sutton Freeman Parks Holloway Reyes Lindqvist Boone McAllister",
    ),
    phones: ['+1212555010#', '+1312555011#', '+1415555013#', '+1206555017#'],
  },
  {
    locale: 'en-GB',
    timezones: ['Europe/London'],
    weight: 10,
    order: 'given family',
    given: latin(
      'Amelia Oliver Isla George Freya Arthur Poppy Alfie Imogen Rhys Niamh Callum Priya Harriet Angus Bethan Tariq Elspeth',
    ),
    family: latin(
      "Fletcher Ashworth Pemberton MacLeod Llewellyn O'Connor Barnes-Whyte Okafor Thackeray Dunn Hollis Begum Sinclair Wainwright",
    ),
    phones: ['+447700900###', '+441632960###'],
  },
  {
    locale: 'de-DE',
    timezones: ['Europe/Berlin'],
    weight: 10,
    order: 'given family',
    given: latin(
      'Jürgen Anneliese Lukas Käthe Matthias Sophie Björn Leonie Günther Frieda Moritz Zoë Heike Emre Jonas Ottilie Till Marlene',
    ),
    family: latin(
      'Müller Weiß Schäfer Köhler Vogt Brandt Öztürk Großmann Lindemann Krüger Böttcher Hartwig Sommerfeld Jäger Wölfl Petersen',
    ),
    phones: ['+493023125###', '+498999998###'],
  },
  {
    locale: 'fr-FR',
    timezones: ['Europe/Paris'],
    weight: 8,
    order: 'given family',
    given: latin(
      'Éloïse François Chloé Jérôme Aïcha Benoît Océane Rémi Anaïs Guénolé Inès Loïc Maëlle Thibault Zoé Gaël Noémie Cédric',
    ),
    family: latin(
      "Lefèvre Dubois Garçon Thévenet Benali Rousseau D'Aubigny Mercier Château Pélissier Noël Traoré Fabre Desrosiers Guérin",
    ),
    phones: ['+3319900####', '+3363998####'],
  },
  {
    locale: 'es-MX',
    timezones: ['America/Mexico_City', 'America/Tijuana'],
    weight: 6,
    order: 'given family',
    given: latin(
      'Ximena José Itzel Andrés Lucía Íñigo María Joaquín Renata Óscar Begoña Ángel Citlali Raúl Sofía Nicolás',
    ),
    family: latin(
      'Muñoz Ibáñez Peña Hernández Ordóñez Güemes Zúñiga Castañeda Núñez Velázquez Araújo Montaño Cárdenas Quiñones',
    ),
    phones: [],
  },
  {
    locale: 'pt-BR',
    timezones: ['America/Sao_Paulo', 'America/Manaus'],
    weight: 5,
    order: 'given family',
    given: latin('João Letícia Antônio Conceição Thaís Caíque Júlia Otávio Iná Mateus Luíza Estêvão Beatriz Renã'),
    family: latin(
      'Gonçalves Magalhães Araújo Simões Brandão Assunção Sá Câmara Conceição Falcão Guimarães Leão Ribeiro',
    ),
    phones: [],
  },
  {
    locale: 'it-IT',
    timezones: ['Europe/Rome'],
    weight: 4,
    order: 'given family',
    given: latin('Niccolò Giulia Matteo Ginevra Elia Chiara Gioacchino Beatrice Renzo Fiammetta Donato Ludovica'),
    family: latin("D'Angelo Forlì Cantù Bianchi Marchetti Dell'Orto Rossetti Morè Galli Pellegrini Zanotti Lo-Russo"),
    phones: [],
  },
  {
    locale: 'pl-PL',
    timezones: ['Europe/Warsaw'],
    weight: 4,
    order: 'given family',
    given: latin('Łukasz Małgorzata Paweł Żaneta Józef Agnieszka Bożena Michał Świętosława Grażyna Stanisław Jędrzej'),
    family: latin('Wójcik Dąbrowska Śliwa Żak Błaszczyk Kamińska Źrebiec Gołąb Łącki Pająk Ćwik Ostrowska'),
    phones: [],
  },
  {
    locale: 'cs-CZ',
    timezones: ['Europe/Prague'],
    weight: 3,
    order: 'given family',
    given: latin('Jiří Božena Tomáš Šárka Ondřej Žofie Václav Eliška Zdeněk Růžena Matěj Ludmila'),
    family: latin('Dvořák Nováková Růžička Šťastný Křížová Procházka Čermák Říhová Hájek Ježková Žďárský'),
    phones: [],
  },
  {
    locale: 'sv-SE',
    timezones: ['Europe/Stockholm'],
    weight: 3,
    order: 'given family',
    given: latin('Åsa Björn Märta Örjan Saga Göran Tuva Håkan Linnéa Åke Ebba Sixten'),
    family: latin('Lindström Åberg Öberg Sjögren Hägg Nyström Ekelöf Wallin Blomkvist Ström Åkesson'),
    phones: ['+4670174061#', '+4670174067#', '+468465004##'],
  },
  {
    locale: 'nl-NL',
    timezones: ['Europe/Amsterdam'],
    weight: 3,
    order: 'given family',
    given: latin('Daniëlle Sjoerd Femke Joost Anouk Bram Noëlle Wietse Marijke Thijs Roos Jaap'),
    family: latin('Dijkstra Visser Smeets Cuypers Hoekstra Brouwer Kuiper Verhoeven Zijlstra Boswijk Ruijter'),
    phones: [],
  },
  {
    locale: 'tr-TR',
    timezones: ['Europe/Istanbul'],
    weight: 3,
    order: 'given family',
    given: latin('İpek Çağlar Şule Ömer Gülşen Iğdır Yiğit Ayşe Tuğba Özgür Işıl Kadir'),
    family: latin('Yılmaz Çelik Şahin Öztürk Güneş Kılıç Doğan Işık Çakır Ünal Aydın'),
    phones: [],
  },
  {
    locale: 'vi-VN',
    timezones: ['Asia/Ho_Chi_Minh'],
    weight: 3,
    order: 'family given',
    given: latin('Hương Quân Thảo Đức Ngọc Việt Linh Dũng Mỹ Tuấn Phượng Sơn'),
    family: latin('Nguyễn Trần Lê Phạm Huỳnh Võ Đặng Bùi Đỗ Hồ Ngô'),
    phones: [],
  },
  {
    locale: 'ja-JP',
    timezones: ['Asia/Tokyo'],
    weight: 5,
    order: 'family given',
    given: pairs(
      '陽子/yoko 健太/kenta 結衣/yui 翔/sho 美咲/misaki 大輔/daisuke さくら/sakura 蓮/ren 真理子/mariko 一郎/ichiro ひなた/hinata 剛/tsuyoshi',
    ),
    family: pairs(
      '佐藤/sato 鈴木/suzuki 高橋/takahashi 渡辺/watanabe 小林/kobayashi 山口/yamaguchi 松本/matsumoto 清水/shimizu 森/mori 石川/ishikawa 小野寺/onodera',
    ),
    phones: [],
  },
  {
    locale: 'zh-CN',
    timezones: ['Asia/Shanghai'],
    weight: 5,
    order: 'familygiven',
    given: pairs(
      '伟/wei 芳/fang 秀英/xiuying 敏/min 静/jing 子轩/zixuan 丽/li 强/qiang 雨桐/yutong 洋/yang 欣怡/xinyi 浩然/haoran',
    ),
    family: pairs('王/wang 李/li 张/zhang 刘/liu 陈/chen 杨/yang 赵/zhao 黄/huang 周/zhou 吴/wu 欧阳/ouyang 司马/sima'),
    phones: [],
  },
  {
    locale: 'ko-KR',
    timezones: ['Asia/Seoul'],
    weight: 3,
    order: 'familygiven',
    given: pairs(
      '서연/seoyeon 민준/minjun 지우/jiwoo 하준/hajun 수빈/subin 도윤/doyun 예은/yeeun 현우/hyunwoo 은지/eunji 성민/seongmin',
    ),
    family: pairs('김/kim 이/lee 박/park 최/choi 정/jung 강/kang 조/cho 윤/yoon 장/jang 임/lim 남궁/namgung'),
    phones: [],
  },
  {
    locale: 'uk-UA',
    timezones: ['Europe/Kyiv'],
    weight: 3,
    order: 'given family',
    given: pairs(
      'Олена/olena Тарас/taras Ірина/iryna Андрій/andrii Соломія/solomiia Юрій/yurii Ганна/hanna Євген/yevhen Мар’яна/mariana',
    ),
    family: pairs(
      'Шевчук/shevchuk Коваленко/kovalenko Бондар/bondar Ткаченко/tkachenko Кравець/kravets Щербак/shcherbak Гриценко/hrytsenko Лисенко/lysenko',
    ),
    phones: [],
  },
  {
    locale: 'el-GR',
    timezones: ['Europe/Athens'],
    weight: 2,
    order: 'given family',
    given: pairs(
      'Ελένη/eleni Γιώργος/giorgos Κατερίνα/katerina Νίκος/nikos Άννα/anna Δημήτρης/dimitris Χρυσούλα/chrysoula Στέλιος/stelios',
    ),
    family: pairs(
      'Παππάς/pappas Νικολάου/nikolaou Γεωργίου/georgiou Οικονόμου/oikonomou Βλάχος/vlachos Κατσαρός/katsaros Μακρής/makris',
    ),
    phones: [],
  },
  {
    locale: 'ar-EG',
    timezones: ['Africa/Cairo'],
    weight: 4,
    order: 'given family',
    given: pairs(
      'فاطمة/fatima محمد/mohamed ليلى/layla أحمد/ahmed نور/nour يوسف/youssef مريم/maryam خالد/khaled سلمى/salma عمر/omar',
    ),
    family: pairs(
      'حسن/hassan المصري/elmasry إبراهيم/ibrahim السيد/elsayed منصور/mansour فاروق/farouk شاهين/shaheen عبدالله/abdallah',
    ),
    phones: [],
  },
  {
    locale: 'he-IL',
    timezones: ['Asia/Jerusalem'],
    weight: 2,
    order: 'given family',
    given: pairs('נועה/noa איתי/itay תמר/tamar יונתן/yonatan מיכל/michal אורי/uri שירה/shira דניאל/daniel'),
    family: pairs('כהן/cohen לוי/levi מזרחי/mizrahi פרץ/peretz ביטון/biton אברהם/avraham גולן/golan'),
    phones: [],
  },
  {
    locale: 'hi-IN',
    timezones: ['Asia/Kolkata'],
    weight: 6,
    order: 'given family',
    given: pairs(
      'आरव/aarav प्रिया/priya विवान/vivaan अनन्या/ananya रोहन/rohan काव्या/kavya अर्जुन/arjun मीरा/meera सुनीता/sunita विक्रम/vikram',
    ),
    family: pairs(
      'शर्मा/sharma वर्मा/verma गुप्ता/gupta सिंह/singh पटेल/patel मिश्रा/mishra जोशी/joshi अय्यर/iyer चौहान/chauhan',
    ),
    phones: [],
  },
  {
    locale: 'yo-NG',
    timezones: ['Africa/Lagos'],
    weight: 3,
    order: 'given family',
    given: latin('Adébáyọ̀ Fọláṣadé Olúwaṣeun Títílayọ̀ Babátúndé Ìfẹ́olúwa Ṣadé Káyọ̀dé Yétúndé Dámilọ́lá'),
    family: latin('Adéyẹmí Okonkwo Ọláwálé Balógun Ògúndélé Eze Akíntọ́lá Ṣóyínká Bámgbóṣé'),
    phones: [],
  },
]

/** What companies are made of. */
export const FAKE_DEPARTMENTS = [
  'Engineering',
  'Customer Care',
  'Finance',
  'People & Culture',
  'Sales, Europe',
  'Sales, Americas',
  'Legal',
  'Logistics',
  'Research',
  'Facilities',
] as const

/** Reserved for examples by RFC 2606; no mail arrives there. */
export const FAKE_DOMAINS = ['example.com', 'example.org', 'example.net'] as const
